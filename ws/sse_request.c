/* See sse_request.h. What the names, filters and columns mean, the subscription decides. */
#include "ws/sse_request.h"

#include "ws/http_head.h"

#include <stdlib.h>

#define VALUE_MAX    WS_HTTP_HEAD_MAX /* of one parameter, decoded */
#define BINDINGS_MAX ((size_t)8 * WS_HTTP_HEAD_MAX * WS_SSE_EVENTS_MAX)

typedef enum {
    PARAMETER_TABLE,
    PARAMETER_SCHEMA,
    PARAMETER_FILTER,
    PARAMETER_SELECT,
    PARAMETER_EVENTS,
    PARAMETER_LEAVE,
    PARAMETER_SNAPSHOT,
    PARAMETER_SINCE,
    PARAMETER_SLOW,
    PARAMETER_APIKEY,
    PARAMETERS
} sse_parameter;

static const char *const parameter_names[PARAMETERS] = {"table",  "schema", "filter",   "select",
                                                        "events", "leave",  "snapshot", "since",
                                                        "slow",   "apikey"};

typedef struct {
    core_buffer values[PARAMETERS];
    bool given[PARAMETERS];
    core_error *error;
} sse_reader;

static bool refuse(sse_reader *reader, const char *text) {
    return core_error_set(reader->error, CORE_ERROR_INPUT, "%s", text);
}

static core_slice value_of(const sse_reader *reader, sse_parameter parameter) {
    return core_buffer_slice(&reader->values[parameter]);
}

/* ---- Parameters ---- */

static bool read_parameter(sse_reader *reader, core_slice key, core_slice value) {
    for (size_t i = 0; i < PARAMETERS; i++) {
        if (!core_slice_is(key, parameter_names[i]))
            continue;
        if (reader->given[i])
            return core_error_set(reader->error, CORE_ERROR_INPUT, "%s is given twice",
                                  parameter_names[i]);
        reader->given[i] = true;
        if (!ws_http_query_decode(value, &reader->values[i]) ||
            !core_utf8_valid(core_buffer_slice(&reader->values[i])) ||
            (value.length > 0 && memchr(reader->values[i].data, 0, reader->values[i].length)))
            return core_error_set(reader->error, CORE_ERROR_INPUT,
                                  "%s is not valid percent-encoded UTF-8", parameter_names[i]);
        return true;
    }
    return core_error_set(reader->error, CORE_ERROR_INPUT,
                          "%.*s is no parameter of this path; it knows table, schema, filter, "
                          "select, events, leave, snapshot, since, slow and apikey",
                          (int)(key.length < 64 ? key.length : 64), (const char *)key.data);
}

static bool read_parameters(sse_reader *reader, core_slice query) {
    while (query.length > 0) {
        core_slice key, value;
        ws_http_query_next(&query, &key, &value);
        if (key.length + value.length > 0 && !read_parameter(reader, key, value))
            return false;
    }
    return true;
}

/* ---- Names ---- */

typedef struct {
    core_buffer text;
    bool quoted;
} sse_name;

/* The rest of a name in quotes, of which the first was taken. */
static bool name_quoted(core_cursor *cursor, core_buffer *text) {
    while (core_cursor_left(cursor) > 0) {
        uint8_t byte = core_cursor_u8(cursor);
        if (byte == '"') {
            if (core_cursor_left(cursor) == 0 || *cursor->at != '"')
                return text->length > 0;
            (void)core_cursor_u8(cursor);
        }
        core_buffer_u8(text, byte);
    }
    return false; /* the second quote is missing */
}

/* One name, up to the end or `separator`, which stays. False: none, or a quote where none can be.
 */
static bool name_read(core_cursor *cursor, uint8_t separator, sse_name *name) {
    core_buffer_reset(&name->text);
    name->quoted = core_cursor_left(cursor) > 0 && *cursor->at == '"';
    if (name->quoted) {
        (void)core_cursor_u8(cursor);
        return name_quoted(cursor, &name->text) &&
               (core_cursor_left(cursor) == 0 || *cursor->at == separator);
    }
    while (core_cursor_left(cursor) > 0 && *cursor->at != separator) {
        uint8_t byte = core_cursor_u8(cursor);
        if (byte == '"')
            return false;
        core_buffer_u8(&name->text, byte);
    }
    return name->text.length > 0;
}

/* A star in quotes is a name, and in a binding it would be any. */
static bool name_is_star(const sse_name *name) {
    return name->quoted && core_slice_is(core_buffer_slice(&name->text), "*");
}

static bool read_table_text(sse_reader *reader, core_slice text, sse_name *schema,
                            sse_name *table) {
    static const char expected[] =
        "table must be schema.table; names that hold a dot or a quote stand in double quotes";
    core_cursor cursor = core_cursor_make(text);
    if (!name_read(&cursor, '.', table))
        return refuse(reader, expected);
    if (core_cursor_left(&cursor) > 0) {
        (void)core_cursor_u8(&cursor);
        sse_name first = *table;
        *table = *schema;
        *schema = first;
        if (!name_read(&cursor, '.', table) || core_cursor_left(&cursor) > 0)
            return refuse(reader, expected);
    }
    if (name_is_star(schema) || name_is_star(table))
        return refuse(reader, "a schema or table whose name is * cannot be asked for by itself");
    return true;
}

static bool read_table(sse_reader *reader, sse_name *schema, sse_name *table) {
    core_slice given = value_of(reader, PARAMETER_SCHEMA);
    core_slice name = value_of(reader, PARAMETER_TABLE);
    if (given.length == 0 && name.length == 0)
        return refuse(reader, "table is missing: say which, as in ?table=public.orders");
    if (given.length == 0)
        return read_table_text(reader, name, schema, table);
    core_buffer_slice_append(&schema->text, given);
    core_buffer_slice_append(&table->text, name);
    if (name.length == 0)
        core_buffer_u8(&table->text, '*');
    return true;
}

/* ---- The bindings ---- */

static bool write_select(sse_reader *reader, core_json_writer *json) {
    core_cursor cursor = core_cursor_make(value_of(reader, PARAMETER_SELECT));
    if (core_cursor_left(&cursor) == 0)
        return true;
    sse_name column = {.quoted = false};
    core_buffer_init(&column.text, VALUE_MAX);
    core_json_key_text(json, "select");
    core_json_array_open(json);
    bool ok = true;
    for (bool more = true; ok && more;) {
        ok = name_read(&cursor, ',', &column);
        if (ok)
            core_json_string(json, core_buffer_slice(&column.text));
        more = core_cursor_left(&cursor) > 0;
        if (more)
            (void)core_cursor_u8(&cursor);
        ok = ok && (!more || core_cursor_left(&cursor) > 0);
    }
    core_json_array_close(json);
    core_buffer_fini(&column.text);
    return ok || refuse(reader, "select must be column names, by comma; names that hold a comma or "
                                "a quote stand in double quotes");
}

static bool write_switch(sse_reader *reader, core_json_writer *json, sse_parameter parameter) {
    core_slice value = value_of(reader, parameter);
    const char *name = parameter_names[parameter];
    if (value.length == 0 || core_slice_is(value, "false"))
        return true;
    if (!core_slice_is(value, "true"))
        return core_error_set(reader->error, CORE_ERROR_INPUT, "%s must be true or false", name);
    core_json_key_text(json, name);
    core_json_bool(json, true);
    return true;
}

static bool write_binding(sse_reader *reader, core_json_writer *json, core_slice event,
                          const sse_name *schema, const sse_name *table) {
    core_slice filter = value_of(reader, PARAMETER_FILTER);
    core_json_object_open(json);
    core_json_key_text(json, "event");
    core_json_string(json, event);
    if (schema->text.length > 0) {
        core_json_key_text(json, "schema");
        core_json_string(json, core_buffer_slice(&schema->text));
    }
    core_json_key_text(json, "table");
    core_json_string(json, core_buffer_slice(&table->text));
    if (filter.length > 0) {
        core_json_key_text(json, "filter");
        core_json_string(json, filter);
    }
    bool ok = write_switch(reader, json, PARAMETER_LEAVE) &&
              write_switch(reader, json, PARAMETER_SNAPSHOT) && write_select(reader, json);
    core_json_object_close(json);
    return ok;
}

/* One binding an event. */
static bool write_bindings(sse_reader *reader, const sse_name *schema, const sse_name *table,
                           core_buffer *out) {
    core_slice events = value_of(reader, PARAMETER_EVENTS);
    core_json_writer json = core_json_writer_make(out);
    core_json_array_open(&json);
    if (events.length == 0)
        events = core_slice_text("*");
    for (size_t count = 0; events.data != NULL; count++) {
        const uint8_t *comma = memchr(events.data, ',', events.length);
        core_slice event = events;
        events = core_slice_make(NULL, 0);
        if (comma != NULL) {
            events = core_slice_make(comma + 1, event.length - (size_t)(comma - event.data) - 1);
            event.length = (size_t)(comma - event.data);
        }
        if (count == WS_SSE_EVENTS_MAX)
            return refuse(reader, "events names too many");
        if (!write_binding(reader, &json, event, schema, table))
            return false;
    }
    core_json_array_close(&json);
    return core_buffer_ok(out) || refuse(reader, "the parameters are too long");
}

static bool read_since(sse_reader *reader, core_slice last_event_id, ws_sse_request *request) {
    core_slice since = value_of(reader, PARAMETER_SINCE);
    core_slice text = last_event_id.length > 0 ? last_event_id : since;
    if (text.length == 0)
        return true;
    request->has_since =
        core_offset_parse(text, &request->since) && core_offset_is_place(&request->since);
    return request->has_since ||
           refuse(reader,
                  last_event_id.length > 0
                      ? "Last-Event-ID is no offset: it must be an id of this stream's"
                      : "since is no offset: it must be an id of a stream of this server's");
}

static bool read_slow(sse_reader *reader, ws_sse_request *request) {
    core_slice slow = value_of(reader, PARAMETER_SLOW);
    request->conflate = core_slice_is(slow, "conflate");
    return request->conflate || slow.length == 0 || core_slice_is(slow, "close") ||
           refuse(reader, "slow must be close or conflate");
}

static bool read_all(sse_reader *reader, core_slice query, core_slice last_event_id,
                     ws_sse_request *request) {
    sse_name schema = {.quoted = false}, table = {.quoted = false};
    core_buffer_init(&schema.text, VALUE_MAX);
    core_buffer_init(&table.text, VALUE_MAX);
    bool ok = read_parameters(reader, query) && read_table(reader, &schema, &table) &&
              write_bindings(reader, &schema, &table, &request->bindings) &&
              read_since(reader, last_event_id, request) && read_slow(reader, request);
    core_buffer_fini(&schema.text);
    core_buffer_fini(&table.text);
    return ok;
}

bool ws_sse_request_init(ws_sse_request *request, core_slice query, core_slice last_event_id,
                         core_error *error) {
    sse_reader reader = {.error = error};
    *request = (ws_sse_request){.has_since = false};
    core_buffer_init(&request->bindings, BINDINGS_MAX);
    for (size_t i = 0; i < PARAMETERS; i++)
        core_buffer_init(&reader.values[i], VALUE_MAX);
    bool ok = read_all(&reader, query, last_event_id, request);
    for (size_t i = 0; i < PARAMETERS; i++)
        core_buffer_fini(&reader.values[i]);
    if (!ok)
        ws_sse_request_fini(request);
    return ok;
}

void ws_sse_request_fini(ws_sse_request *request) {
    core_buffer_fini(&request->bindings);
}
