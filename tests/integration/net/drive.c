/* The HTTP client for http.test.mjs: net_drive CA_FILE IN_FLIGHT_MAX ALLOWED_NETWORK...
 *
 * Each line of standard input is a command, its fields with tabs between: "send ID METHOD URL
 * TIMEOUT_MS KEEP_BYTES BODY_IN_HEX" with headers as "name: value" after it, or
 * "stop". Each completion is a line of JSON on standard output. The end of input ends the client.
 */
#include "net/net.h"

#include <stdio.h>
#include <stdlib.h>

enum { LINE_MAX_BYTES = 4 << 20, REQUESTS_MAX = 100000, ALLOWED_MAX = 16 };

typedef struct {
    net_http_request request; /* first */
    unsigned id;
    char *line; /* what the request points into */
    core_buffer body;
    net_http_header headers[NET_HTTP_HEADERS_MAX];
} sent;

static sent *all[REQUESTS_MAX]; /* by their ids, kept until the end */

static void fail(const char *what) {
    (void)fprintf(stderr, "net_drive: %s\n", what);
    exit(1);
}

static void number(core_json_writer *json, const char *name, int64_t value) {
    core_json_key_text(json, name);
    core_json_signed(json, value);
}

static void completed(net_http_request *request, const net_http_result *result) {
    core_buffer out;
    core_buffer_init(&out, LINE_MAX_BYTES);
    core_json_writer json = core_json_writer_make(&out);
    core_json_object_open(&json);
    number(&json, "id", ((const sent *)request->context)->id);
    core_json_key_text(&json, "outcome");
    core_json_text(&json, net_http_outcome_name(result->outcome));
    number(&json, "status", result->status);
    number(&json, "version", result->version);
    core_json_key_text(&json, "body");
    core_json_string(&json, result->body);
    core_json_key_text(&json, "cut");
    core_json_bool(&json, result->body_is_cut);
    number(&json, "retryAfterMs", result->retry_after_ms);
    number(&json, "connectUs", result->connect_us);
    number(&json, "tlsUs", result->tls_us);
    number(&json, "totalUs", result->total_us);
    core_json_key_text(&json, "address");
    core_json_text(&json, result->address);
    number(&json, "port", result->port);
    core_json_key_text(&json, "reason");
    core_json_text(&json, result->reason);
    core_json_key_text(&json, "marked");
    core_json_string(&json, net_http_header_find(result, "X-Marked"));
    core_json_object_close(&json);
    printf("%.*s\n", CORE_SLICE_ARGS(core_buffer_slice(&out)));
    (void)fflush(stdout);
    core_buffer_fini(&out);
}

static const char *field(char **rest) {
    const char *text = strsep(rest, "\t");
    if (text == NULL)
        fail("a field is missing");
    return text;
}

static void unhex(const char *text, core_buffer *out) {
    core_buffer_init(out, LINE_MAX_BYTES);
    for (; text[0] != '\0' && text[1] != '\0'; text += 2)
        core_buffer_u8(out, (uint8_t)(core_hex_digit((uint8_t)text[0]) * 16 +
                                      core_hex_digit((uint8_t)text[1])));
}

static void headers_take(sent *it, char *rest) {
    it->request.headers = it->headers;
    while (rest != NULL && it->request.header_count < CORE_COUNT_OF(it->headers)) {
        char *line = strsep(&rest, "\t");
        char *colon = strstr(line, ": ");
        if (colon == NULL)
            fail("a header without a colon");
        *colon = '\0';
        it->headers[it->request.header_count++] =
            (net_http_header){.name = line, .value = colon + 2};
    }
}

static void send_one(net_http *http, const char *line) {
    core_error error;
    sent *it = calloc(1, sizeof *it);
    if (it == NULL || (it->line = strdup(line)) == NULL)
        fail("no memory");
    char *rest = it->line;
    it->id = (unsigned)strtoul(field(&rest), NULL, 10);
    it->request = (net_http_request){.completed = completed, .context = it};
    it->request.method = field(&rest);
    it->request.url = field(&rest);
    it->request.timeout_ms = strtol(field(&rest), NULL, 10);
    it->request.keep_bytes = strtoul(field(&rest), NULL, 10);
    unhex(field(&rest), &it->body);
    it->request.body = core_buffer_slice(&it->body);
    headers_take(it, rest);
    if (it->id >= REQUESTS_MAX || all[it->id] != NULL)
        fail("an id that was there already");
    all[it->id] = it;
    if (!net_http_send(http, &it->request, &error)) {
        printf("{\"id\":%u,\"outcome\":\"unsent\"}\n", it->id);
        (void)fflush(stdout);
    }
}

static void command_take(net_http *http, char *line) {
    line[strcspn(line, "\n")] = '\0';
    if (strncmp(line, "send\t", 5) == 0)
        send_one(http, line + 5);
    else if (strcmp(line, "stop") == 0)
        net_http_stop(http);
    else
        fail("an unknown command");
}

static net_guard *guard_make(int count, char **networks) {
    core_network allowed[ALLOWED_MAX];
    core_error error;
    net_guard_spec spec = {.allow = {.networks = allowed, .count = (size_t)count}};
    for (int i = 0; i < count; i++)
        if (i == ALLOWED_MAX || !core_network_parse(core_slice_text(networks[i]), &allowed[i]))
            fail(networks[i]);
    net_guard *guard = net_guard_new(&spec, &error);
    if (guard == NULL)
        fail(error.text);
    return guard;
}

int main(int argc, char **argv) {
    char *line = NULL;
    size_t size = 0;
    core_error error;
    if (argc < 3)
        fail("usage: net_drive CA_FILE IN_FLIGHT_MAX ALLOWED_NETWORK...");
    net_guard *guard = guard_make(argc - 3, argv + 3);
    const net_http_spec spec = {
        .guard = guard, .ca_file = argv[1], .in_flight_max = (unsigned)strtoul(argv[2], NULL, 10)};
    net_http *http = net_http_new(&spec, &error);
    if (http == NULL)
        fail(error.text);
    while (getline(&line, &size, stdin) > 0)
        command_take(http, line);
    free(line);
    net_http_free(http);
    net_guard_free(guard);
    for (size_t i = 0; i < REQUESTS_MAX; i++)
        if (all[i] != NULL) {
            core_buffer_fini(&all[i]->body);
            free(all[i]->line);
            free(all[i]);
        }
    return 0;
}
