/* `walcast search`: asks a running process for the documents that words are found in, over its HTTP
 * address, with a token that lives for a minute. Index files are their process's alone, so they are
 * not looked at. */
#include "auth/auth.h"
#include "cli/command.h"
#include "net/net.h"

#include <stdio.h>

#define BODY_MAX ((size_t)64 << 20)
#define URL_MAX  ((size_t)64 << 10)

enum { TOKEN_S = 60, CONNECT_MS = 5000, TIMEOUT_MS = 30000 };

/* ---- The request ---- */

static void query_append(core_buffer *url, const char *text) {
    static const char hex[] = "0123456789ABCDEF";
    for (const uint8_t *at = (const uint8_t *)text; *at != '\0'; at++) {
        bool is_plain = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
                        (*at >= '0' && *at <= '9') || strchr("-_.~", *at) != NULL;
        if (is_plain)
            core_buffer_u8(url, *at);
        else {
            core_buffer_u8(url, '%');
            core_buffer_u8(url, (uint8_t)hex[*at >> 4]);
            core_buffer_u8(url, (uint8_t)hex[*at & 15]);
        }
    }
}

static void parameter_append(core_buffer *url, const char *name, const char *value) {
    if (value == NULL)
        return;
    core_buffer_format(url, "&%s=", name);
    query_append(url, value);
}

/* What listens on all addresses is reached on this machine's own. */
static void address_append(core_buffer *url, const core_config *config) {
    const char *listen = core_config_text(config, "http.listen");
    const char *colon = strrchr(listen, ':');
    bool is_any =
        strncmp(listen, "0.0.0.0:", 8) == 0 || strncmp(listen, "[::]:", 5) == 0 || listen == colon;
    core_buffer_text(url, core_config_text(config, "http.tls_cert") != NULL ? "https" : "http");
    core_buffer_text(url, "://");
    core_buffer_text(url, is_any ? "127.0.0.1" : "");
    core_buffer_text(url, is_any ? colon : listen);
}

static bool token_append(const cli_arguments *arguments, const core_config *config,
                         core_buffer *url, core_error *error) {
    core_buffer token;
    const char *given = cli_value(arguments, "--token"),
               *project = cli_value(arguments, "--project");
    char claims[256] = "";
    int64_t now_s = core_clock_wall_us(core_clock_system()) / CORE_US_PER_S;
    if (given != NULL) {
        parameter_append(url, "apikey", given);
        return true;
    }
    if (project != NULL) {
        core_buffer text = core_buffer_over(claims, sizeof claims - 1);
        core_json_writer json = core_json_writer_make(&text);
        core_json_key_text(&json, "project_id");
        core_json_text(&json, project);
        if (!core_buffer_ok(&text))
            return core_error_set(error, CORE_ERROR_INPUT, "--project: too long");
        claims[text.length] = '\0';
    }
    core_buffer_init(&token, 2 * AUTH_TOKEN_MAX);
    bool ok = auth_token_sign(config, "service_role", NULL, now_s, now_s + TOKEN_S,
                              core_slice_text(claims), &token, error);
    core_buffer_u8(&token, 0);
    if (ok)
        parameter_append(url, "apikey", (const char *)token.data);
    core_buffer_fini(&token);
    return ok;
}

/* All operands behind the index are words. */
static bool url_make(const cli_arguments *arguments, const core_config *config, core_buffer *url,
                     core_error *error) {
    const char *base = cli_value(arguments, "--url");
    if (base != NULL)
        core_buffer_text(url, base);
    else
        address_append(url, config);
    core_buffer_text(url, "/search/v1/-/");
    query_append(url, arguments->operand);
    core_buffer_text(url, "?q=");
    for (size_t i = 1; i < arguments->operand_count; i++) {
        core_buffer_text(url, i > 1 ? "%20" : "");
        query_append(url, arguments->operands[i]);
    }
    parameter_append(url, "filter", cli_value(arguments, "--filter"));
    parameter_append(url, "sort", cli_value(arguments, "--sort"));
    parameter_append(url, "limit", cli_value(arguments, "--limit"));
    if (!token_append(arguments, config, url, error))
        return false;
    core_buffer_u8(url, 0);
    return core_buffer_ok(url) ||
           core_error_set(error, CORE_ERROR_INPUT, "the query is longer than %zu bytes", URL_MAX);
}

/* ---- The answer ---- */

static void hits_print(core_slice body) {
    core_json_reader reader = core_json_reader_make(body);
    core_json_token member;
    core_slice whole;
    if (core_json_next(&reader).kind != CORE_JSON_OBJECT_OPEN)
        return;
    while (core_json_member_next(&reader, &member)) {
        bool is_hits = core_slice_is(member.key, "hits") && member.kind == CORE_JSON_ARRAY_OPEN;
        if (is_hits) {
            for (core_json_token hit = core_json_next(&reader);
                 hit.kind != CORE_JSON_ARRAY_CLOSE && core_json_skip(&reader, hit, &whole);
                 hit = core_json_next(&reader))
                (void)printf("%.*s\n", CORE_SLICE_ARGS(whole));
            continue;
        }
        if (!core_json_skip(&reader, member, &whole))
            return;
        if (core_slice_is(member.key, "estimatedTotalHits"))
            (void)fprintf(stderr, "about %.*s found\n", CORE_SLICE_ARGS(whole));
    }
}

/* What the process says, "detail" of a problem or "message". */
static cli_exit refusal_print(unsigned status, core_slice body) {
    core_json_reader reader = core_json_reader_make(body);
    core_json_token member;
    core_slice whole;
    core_error error;
    (void)core_error_set(&error, CORE_ERROR_DENIED, "the process answered %u", status);
    bool is_object = core_json_next(&reader).kind == CORE_JSON_OBJECT_OPEN;
    while (is_object && core_json_member_next(&reader, &member) &&
           core_json_skip(&reader, member, &whole))
        if (core_slice_is(member.key, "detail") || core_slice_is(member.key, "message"))
            (void)core_error_set(&error, CORE_ERROR_DENIED, "%.*s", CORE_SLICE_ARGS(member.raw));
    return cli_fail(&error);
}

static cli_exit answer_print(const cli_arguments *arguments, const net_response *response) {
    core_slice body = core_buffer_slice(&response->body);
    if (response->status != 200)
        return refusal_print(response->status, body);
    if (cli_flag(arguments, "--json"))
        (void)printf("%.*s\n", CORE_SLICE_ARGS(body));
    else
        hits_print(body);
    return cli_output_finish();
}

static cli_exit ask(const cli_arguments *arguments, const core_buffer *url) {
    core_error error = {0};
    net_response response = {0};
    const net_request request = {.url = (const char *)url->data,
                                 .accept = "application/json",
                                 .ca_file = cli_value(arguments, "--ca"),
                                 .connect_timeout_ms = CONNECT_MS,
                                 .timeout_ms = TIMEOUT_MS,
                                 .max_bytes = BODY_MAX};
    net_client *client = net_client_new(&error);
    if (client == NULL)
        return cli_fail(&error);
    cli_exit result = net_client_get(client, &request, &response, &error)
                          ? answer_print(arguments, &response)
                          : cli_fail(&error);
    net_response_fini(&response);
    net_client_free(client);
    return result;
}

cli_exit cli_command_search(const cli_arguments *arguments) {
    core_error error = {0};
    core_buffer url;
    if (arguments->operand == NULL) {
        (void)core_error_set(&error, CORE_ERROR_INPUT, "which index? expected INDEX WORDS");
        return cli_usage_fail("search", &error);
    }
    core_config *config = cli_config_load(arguments);
    if (config == NULL)
        return CLI_USAGE;
    core_buffer_init(&url, URL_MAX);
    cli_exit result = url_make(arguments, config, &url, &error) ? ask(arguments, &url)
                      : error.code == CORE_ERROR_INPUT          ? cli_usage_fail("search", &error)
                                                                : cli_fail(&error);
    core_buffer_fini(&url);
    core_config_free(config);
    return result;
}
