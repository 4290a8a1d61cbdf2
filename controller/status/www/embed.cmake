# Usage: cmake -DOUT=assets.c -DIN="page.css;page.js" -P embed.cmake
# Writes each file as a NUL-terminated array: page.css becomes "const char asset_page_css[]".
set(text "#include \"controller/status/assets.h\"\n")
foreach(file ${IN})
  get_filename_component(name ${file} NAME)
  string(MAKE_C_IDENTIFIER ${name} name)
  file(READ ${file} bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${bytes}")
  string(REPLACE "'\\x0a'," "'\\x0a',\n" bytes "${bytes}")
  string(APPEND text "const char asset_${name}[] = {\n${bytes}'\\0'};\n")
endforeach()
file(WRITE ${OUT} "${text}")
