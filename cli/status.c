/* SPDX-License-Identifier: Apache-2.0 */
/* coterie status: what the controller says of the whole fleet. */
#include "cli/cli.h"
#include "cli/status_show.h"
#include "cli/table.h"

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/scope.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#define CONTROLLER_DEFAULT "http://127.0.0.1:7720"
#define STATUS_SIZE_MAX    (256u << 20) /* bytes of the document */
#define TIMEOUT_S_DEFAULT  10

static void print_usage(FILE *to)
{
    fputs("usage: coterie status [--controller URL] [--timeout SECONDS] [--json]\n\n"
          "What the controller says of all groups, folders, connections and agents.\n\n"
          "  --controller URL   default: $COTERIE_CONTROLLER, or " CONTROLLER_DEFAULT "\n"
          "  --timeout SECONDS  to wait for the answer; default 10\n"
          "  --json             the document as the controller gives it\n\n"
          "exit: 0 all is well or catching up, 1 something needs a look, 2 usage,\n"
          "      3 the controller cannot be reached, 4 not authorised, 7 timed out\n",
          to);
}

static size_t on_bytes(char *data, size_t size, size_t count, void *arg)
{
    struct buf *body = arg;

    if (size * count > STATUS_SIZE_MAX - body->size)
        return 0;
    buf_append(body, data, size * count);
    return size * count;
}

static int explain_answer(long code, const char *url)
{
    if (code == 200)
        return -1;
    if (code == 401 || code == 403)
        return cli_fail(CLI_NOT_AUTHORISED, "%s: not authorised (HTTP %ld)", url, code);
    return cli_fail(code == 404 ? CLI_NOT_FOUND : CLI_UNREACHABLE,
                    "%s answers HTTP %ld: is it a coterie-controller's status address?", url, code);
}

/* -1: @body holds the document; otherwise the exit code. */
static int fetch(const struct cli_query *query, struct buf *body)
{
    size_t size = strlen(query->target);
    bool slash = size > 0 && query->target[size - 1] == '/';
    scope_free char *url = mem_format("%s%sv1/status", query->target, slash ? "" : "/");
    char detail[CURL_ERROR_SIZE] = "";
    CURL *curl = curl_easy_init();
    long code = 0;

    if (!curl)
        abort();
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "coterie/" COTERIE_VERSION);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)query->timeout_s);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
    CURLcode result = curl_easy_perform(curl);

    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
    curl_easy_cleanup(curl);
    if (result == CURLE_OK)
        return explain_answer(code, url);
    if (result == CURLE_OPERATION_TIMEDOUT)
        return cli_fail(CLI_TIMED_OUT, "%s did not answer within %ld s", query->target,
                        (long)query->timeout_s);
    if (result == CURLE_URL_MALFORMAT || result == CURLE_UNSUPPORTED_PROTOCOL)
        return cli_fail(CLI_USAGE, "--controller takes an http URL, not \"%s\"",
                        query->target);
    return cli_fail(CLI_UNREACHABLE,
                    "cannot reach the controller at %s: %s; is coterie-controller running there, "
                    "and http_listen in its controller.conf reachable from here?",
                    query->target, detail[0] != '\0' ? detail : curl_easy_strerror(result));
}

static int run(int argc, char **argv)
{
    const char *from_environment = getenv("COTERIE_CONTROLLER");
    struct cli_query query = {
        .target_option = "controller",
        .noun = "status",
        .print_usage = print_usage,
        .target = from_environment ? from_environment : CONTROLLER_DEFAULT,
        .timeout_s = TIMEOUT_S_DEFAULT,
    };
    scope(buf) struct buf body = {0};
    /* getopt wants the program's place: the noun stands there */
    int code = cli_parse_query(argc + 1, argv - 1, &query);

    if (code < 0)
        code = fetch(&query, &body);
    if (code >= 0)
        return code;
    return status_show(buf_span(&body), query.json, stdout);
}

const struct cli_noun cli_status = {
    .name = "status",
    .summary = "what the controller says of all folders and servers",
    .run = run,
};
