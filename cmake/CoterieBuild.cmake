# One target per folder: coterie_library() and coterie_test() are the only ways to add one.

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_LINK_DEPENDS_NO_SHARED ON)

find_program(COTERIE_CCACHE ccache)
if(COTERIE_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${COTERIE_CCACHE})
endif()

add_library(coterie_flags INTERFACE)
target_compile_definitions(coterie_flags INTERFACE _GNU_SOURCE
  COTERIE_VERSION="${PROJECT_VERSION}")
target_include_directories(coterie_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(coterie_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes
  -Wmissing-prototypes -Wcast-qual -Wwrite-strings -Wundef -Wvla -Wformat=2 -Wswitch-enum
  -Wnull-dereference -Werror
  -fstack-protector-strong -fno-common
  $<$<C_COMPILER_ID:GNU>:-ftrivial-auto-var-init=zero>)
if(NOT COTERIE_SANITIZE)
  # Fortify needs optimisation; sanitizers bring checks of their own.
  target_compile_options(coterie_flags INTERFACE
    $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE>
    $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=3>
    -fstack-clash-protection -fcf-protection)
  target_link_options(coterie_flags INTERFACE -pie -Wl,-z,relro,-z,now)
else()
  target_compile_options(coterie_flags INTERFACE
    -fsanitize=${COTERIE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer
    # the null-dereference analysis sees the instrumentation's own branches
    -Wno-null-dereference)
  target_link_options(coterie_flags INTERFACE -fsanitize=${COTERIE_SANITIZE})
endif()
if(COTERIE_FUZZ)
  # everything tells libFuzzer where it has been, or fuzzing would be blind
  target_compile_options(coterie_flags INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(coterie_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(COTERIE_CHECK_SLOW)
  target_compile_definitions(coterie_flags INTERFACE CHECK_SLOW=1)
endif()

# coterie_library(NAME SOURCES a.c b.c DEPS other targets)
# DEPS is the complete list of what the folder may use; tests/tidy checks includes against it.
function(coterie_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE coterie_flags PUBLIC ${ARG_DEPS})
  set_property(GLOBAL APPEND PROPERTY COTERIE_LIBRARIES ${name})
endfunction()

# coterie_program(NAME SOURCES … DEPS …)
function(coterie_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE coterie_flags ${ARG_DEPS})
  install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()

# coterie_test(NAME LABEL unit|property|sim|integration|fuzz|slow SOURCES … DEPS … [TIMEOUT s])
function(coterie_test name)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT" "SOURCES;DEPS;ARGS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE coterie_flags ${ARG_DEPS} PkgConfig::CMOCKA)
  # cmocka's headers use implicit conversions in macros
  target_compile_options(${name} PRIVATE -Wno-conversion -Wno-sign-conversion
    # its assertions do not return, but do not say so
    -Wno-null-dereference)
  add_test(NAME ${name} COMMAND ${name} ${ARG_ARGS})
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL} SKIP_RETURN_CODE 77)
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT})
endfunction()

# coterie_script_test(NAME LABEL … SCRIPT path [TIMEOUT s]): a shell test, 77 = skipped
function(coterie_script_test name)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT;SCRIPT" "ARGS" ${ARGN})
  add_test(NAME ${name} COMMAND bash ${ARG_SCRIPT} ${ARG_ARGS})
  set_tests_properties(${name} PROPERTIES LABELS ${ARG_LABEL} SKIP_RETURN_CODE 77
    ENVIRONMENT "COTERIE_BUILD=${CMAKE_BINARY_DIR};COTERIE_SOURCE=${CMAKE_SOURCE_DIR}")
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT})
endfunction()
