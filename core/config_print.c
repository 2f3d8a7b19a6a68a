/* The configuration for people: values with their origin, and the reference page from the table.
 *
 * Secrets are never printed: a secret key shows ***, and a URL loses its password wherever one is
 * shown. */
#include "core/config_private.h"

#include "core/json.h"

#include <ctype.h>
#include <strings.h>

#define PRINT_MAX_BYTES   ((size_t)1024 * 1024)
#define PRINT_URL_MAX     2048
#define PRINT_KEY_COLUMNS 32

/* ---- URLs without their password ---- */

/* One URL's text, written bounded. */
typedef struct {
    char *text;
    size_t size;
    size_t length;
} print_text;

static void print_put(print_text *out, const char *text, size_t length) {
    size_t room = out->size - 1 - out->length;
    length = length < room ? length : room;
    memcpy(out->text + out->length, text, length);
    out->length += length;
    out->text[out->length] = '\0';
}

/* Where this URL ends and, behind a comma, the next of a list begins. */
static size_t print_url_length(const char *url) {
    const char *next = strstr(url, "://");
    while (next != NULL && (next = strstr(next + 3, "://")) != NULL) {
        const char *start = next;
        while (start > url && (isalnum((unsigned char)start[-1]) || start[-1] == '+'))
            start--;
        while (start > url && start[-1] == ' ')
            start--;
        if (start > url && start[-1] == ',')
            return (size_t)(start - 1 - url);
    }
    return strlen(url);
}

/* `user:password@` as `user:***@`; a user alone is a token to NATS, so it is hidden there. */
static size_t print_userinfo(print_text *out, const char *url, size_t length) {
    const char *scheme = memmem(url, length, "://", 3);
    size_t from = scheme != NULL ? (size_t)(scheme - url) + 3 : 0;
    const char *at = memrchr(url + from, '@', length - from);
    if (scheme == NULL || at == NULL)
        return 0;
    size_t end = (size_t)(at - url);
    const char *colon = memchr(url + from, ':', end - from);
    bool postgres = strncasecmp(url, "postgres", strlen("postgres")) == 0;
    size_t shown = colon != NULL ? (size_t)(colon - url) + 1 : postgres ? end : from;
    print_put(out, url, shown);
    if (shown < end)
        print_put(out, "***", 3);
    return end;
}

/* libpq takes `password` and `sslpassword` as parameters too. */
static void print_parameters(print_text *out, const char *url, size_t from, size_t length) {
    for (size_t at = from; at < length;) {
        size_t end = at;
        while (end < length && url[end] != '&' && url[end] != '?')
            end++;
        const char *equals = memchr(url + at, '=', end - at);
        size_t name = equals != NULL ? (size_t)(equals - url) - at : 0;
        bool secret =
            name >= strlen("password") &&
            strncasecmp(url + at + name - strlen("password"), "password", strlen("password")) == 0;
        print_put(out, url + at, secret ? name + 1 : end - at);
        if (secret)
            print_put(out, "***", 3);
        if (end < length)
            print_put(out, url + end, 1);
        at = end + 1;
    }
}

void core_config_redact_url(const char *url, char *text, size_t text_size) {
    assert(text_size > 0);
    print_text out = {.text = text, .size = text_size};
    text[0] = '\0';
    for (;;) {
        size_t length = print_url_length(url);
        size_t done = print_userinfo(&out, url, length);
        print_parameters(&out, url, done, length);
        if (url[length] == '\0')
            return;
        print_put(&out, ",", 1);
        url += length + 1;
    }
}

/* ---- Values ---- */

static void print_value_text(const core_config_row *row, const core_config_value *value,
                             core_buffer *out) {
    char redacted[PRINT_URL_MAX];
    if (!value->set)
        return;
    if (row->secret) {
        core_buffer_text(out, "***");
    } else if (value->text != NULL) {
        core_config_redact_url(value->text, redacted, sizeof redacted);
        core_buffer_text(out, redacted);
    } else if (row->type != CORE_CONFIG_LIST) {
        core_config_number_append(out, row->type, value->number);
    }
    for (size_t i = 0; i < value->count; i++)
        core_buffer_format(out, "%s%s", i > 0 ? ", " : "", value->items[i]);
}

static void print_value_json(const core_config_row *row, const core_config_value *value,
                             core_json_writer *writer) {
    core_buffer text;
    if (!value->set && row->type != CORE_CONFIG_LIST) {
        core_json_null(writer);
    } else if (row->type == CORE_CONFIG_LIST) {
        core_json_array_open(writer);
        for (size_t i = 0; i < value->count; i++)
            core_json_text(writer, value->items[i]);
        core_json_array_close(writer);
    } else if (row->type == CORE_CONFIG_BOOL) {
        core_json_bool(writer, value->number != 0);
    } else if (row->type == CORE_CONFIG_INTEGER) {
        core_json_signed(writer, value->number);
    } else {
        core_buffer_init(&text, PRINT_MAX_BYTES);
        print_value_text(row, value, &text);
        core_json_string(writer, core_buffer_slice(&text));
        core_buffer_fini(&text);
    }
}

static void print_json(const core_config *config, core_buffer *out) {
    size_t count;
    const core_config_row *rows = core_config_rows(&count);
    core_json_writer writer = core_json_writer_make(out);
    core_json_object_open(&writer);
    for (size_t i = 0; i < count; i++) {
        core_json_key_text(&writer, rows[i].key);
        core_json_object_open(&writer);
        core_json_key_text(&writer, "value");
        print_value_json(&rows[i], core_config_value_at(config, &rows[i]), &writer);
        core_json_key_text(&writer, "origin");
        core_json_text(&writer, core_config_origin(config, rows[i].key));
        core_json_object_close(&writer);
    }
    core_json_object_close(&writer);
    core_buffer_text(out, "\n");
}

static void print_lines(const core_config *config, core_buffer *out) {
    size_t count;
    const core_config_row *rows = core_config_rows(&count);
    for (size_t i = 0; i < count; i++) {
        const core_config_value *value = core_config_value_at(config, &rows[i]);
        core_buffer_format(out, "%-*s ", PRINT_KEY_COLUMNS, rows[i].key);
        print_value_text(&rows[i], value, out);
        core_buffer_format(out, "%s(%s)\n", value->set ? "  " : "",
                           core_config_origin(config, rows[i].key));
    }
}

void core_config_print(const core_config *config, FILE *out, bool json) {
    core_buffer text;
    core_buffer_init(&text, PRINT_MAX_BYTES);
    if (json)
        print_json(config, &text);
    else
        print_lines(config, &text);
    (void)fwrite(text.data, 1, text.length, out);
    core_buffer_fini(&text);
}

/* ---- The reference page ---- */

static void reference_values(const core_config_row *row, core_buffer *out) {
    switch (row->type) {
    case CORE_CONFIG_INTEGER:
    case CORE_CONFIG_BYTES:
    case CORE_CONFIG_DURATION:
        core_config_number_append(out, row->type, row->min);
        core_buffer_text(out, " to ");
        core_config_number_append(out, row->type, row->max);
        if (row->type == CORE_CONFIG_INTEGER)
            core_buffer_format(out, " %s", row->unit);
        return;
    case CORE_CONFIG_BOOL:
        core_buffer_text(out, core_config_type_expected(row->type));
        return;
    default:
        break;
    }
    core_buffer_text(out, row->type == CORE_CONFIG_LIST ? "list" : "");
    core_buffer_text(out, row->type == CORE_CONFIG_LIST && row->choices != NULL ? " of " : "");
    for (const char *at = row->choices; at != NULL && *at != '\0'; at++)
        core_buffer_append(out, *at == '|' ? ", " : at, *at == '|' ? 2 : 1);
    core_buffer_text(out, row->type == CORE_CONFIG_TEXT ? "text" : "");
    core_buffer_text(out, row->secret ? ", secret" : "");
}

static void reference_row(const core_config_row *row, core_buffer *out) {
    core_buffer_format(out, "| `%s` | ", row->key);
    if (row->initial != NULL)
        core_buffer_format(out, "`%s`", row->initial);
    else
        core_buffer_text(out, "none");
    core_buffer_text(out, " | ");
    reference_values(row, out);
    core_buffer_format(out, " | %s |\n", row->doc);
}

static const char reference_head[] =
    "# Configuration\n\n"
    "This page is made from the table in `core/config_table.c`; do not edit it by hand.\n\n"
    "Values come from the defaults, then from `walcast.yaml` (or the file that `WALCAST_CONFIG` or "
    "`--config` names), then from the environment: `postgres.url` is `WALCAST_POSTGRES_URL`. "
    "An empty variable counts as absent. "
    "In the file, nested maps and dotted keys are the same. Lists are YAML lists, or texts with "
    "commas between the items.\n\n"
    "Durations are numbers with `ms`, `s`, `m`, `h` or `d`; sizes are numbers with `KiB`, `MiB`, "
    "`GiB` (of 1024) or `KB`, `MB`, `GB` (of 1000), or plain bytes.\n\n"
    "`walcast check` tells every problem of a configuration and prints the values in force with "
    "their origin.\n";

void core_config_reference(FILE *out) {
    size_t count;
    const core_config_row *rows = core_config_rows(&count);
    core_buffer page;
    core_buffer_init(&page, PRINT_MAX_BYTES);
    core_buffer_text(&page, reference_head);
    core_slice section = core_slice_text("-");
    for (size_t i = 0; i < count; i++) {
        size_t length = strcspn(rows[i].key, ".");
        core_slice own = core_slice_make(rows[i].key, rows[i].key[length] == '.' ? length : 0);
        if (!core_slice_equal(own, section))
            core_buffer_format(
                &page, "\n## %.*s\n\n| key | default | values | |\n|---|---|---|---|\n",
                own.length > 0 ? (int)own.length : 7, own.length > 0 ? rows[i].key : "General");
        section = own;
        reference_row(&rows[i], &page);
    }
    (void)fwrite(page.data, 1, page.length, out);
    core_buffer_fini(&page);
}
