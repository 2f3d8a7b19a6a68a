/* Subjects and their tokens; see subject.h.
 *
 * A token is built in a fixed array, unit by unit (a byte, an escape, a UTF-8 sequence), while a
 * hash runs over all of it; only at the end is it known whether it fits or is cut at a whole unit
 * and finished with the hash. Nothing allocates on the way of a change. */
#include "core/subject.h"

#include "core/cursor.h"
#include "core/utf8.h"

#define HASH_SUFFIX_BYTES (2 + 16) /* %~ and the digits */
#define ID_MAX_BYTES      64

typedef struct {
    char text[CORE_SUBJECT_TOKEN_MAX];
    size_t length; /* the token's whole length, also past the maximum */
    size_t cut;    /* the last whole unit's end that leaves room for the hash */
    uint64_t hash; /* FNV-1a of the whole token */
} subject_token;

static const char hex_digits[] = "0123456789ABCDEF";

/* ---- Encoding ---- */

static bool is_plain(uint8_t byte) {
    if (byte <= ' ' || byte == 0x7F)
        return false;
    return strchr(".*>%:", byte) == NULL;
}

static subject_token token_make(void) {
    return (subject_token){.hash = core_slice_hash(core_slice_make(NULL, 0))};
}

/* A unit: it is kept or cut as a whole. */
static void token_put(subject_token *token, const void *unit, size_t length) {
    const uint8_t *bytes = unit;
    for (size_t i = 0; i < length; i++)
        token->hash = (token->hash ^ bytes[i]) * UINT64_C(1099511628211);
    if (token->length + length <= CORE_SUBJECT_TOKEN_MAX)
        memcpy(token->text + token->length, unit, length);
    token->length += length;
    if (token->length <= CORE_SUBJECT_TOKEN_MAX - HASH_SUFFIX_BYTES)
        token->cut = token->length;
}

static void token_escape(subject_token *token, uint8_t byte) {
    char escape[3] = {'%', hex_digits[byte >> 4], hex_digits[byte & 15]};
    token_put(token, escape, sizeof escape);
}

/* The first unit of `left` bytes; returns how many it took. What is not UTF-8 is escaped too:
 * subjects stay text in whatever shows them. */
static size_t token_unit(subject_token *token, const uint8_t *unit, size_t left) {
    size_t length = core_utf8_sequence(unit, left);
    if (length > 1 || (length == 1 && is_plain(*unit))) {
        token_put(token, unit, length);
        return length;
    }
    token_escape(token, *unit);
    return 1;
}

static void token_name(subject_token *token, core_slice name) {
    if (core_slice_is(name, "_")) {
        token_escape(token, '_');
        return;
    }
    for (size_t at = 0, length; at < name.length; at += length) {
        length = token_unit(token, name.data + at, name.length - at);
    }
}

static core_slice token_finish(subject_token *token) {
    if (token->length == 0)
        token_put(token, "_", 1);
    if (token->length > CORE_SUBJECT_TOKEN_MAX) {
        char *at = token->text + token->cut;
        *at++ = '%';
        *at++ = '~';
        for (int shift = 60; shift >= 0; shift -= 4)
            *at++ = hex_digits[token->hash >> shift & 15];
        token->length = (size_t)(at - token->text);
    }
    return core_slice_make(token->text, token->length);
}

void core_subject_token_append(core_buffer *out, core_slice name) {
    subject_token token = token_make();
    token_name(&token, name);
    core_buffer_slice_append(out, token_finish(&token));
}

/* ---- Decoding ---- */

static int hex_value(uint8_t digit) {
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

static bool escape_decode(core_cursor *cursor, core_buffer *out) {
    core_slice digits = core_cursor_bytes(cursor, 2);
    if (!core_cursor_ok(cursor))
        return false;
    int high = hex_value(digits.data[0]), low = hex_value(digits.data[1]);
    if (high < 0 || low < 0)
        return false;
    core_buffer_u8(out, (uint8_t)(high << 4 | low));
    return true;
}

/* Of any length. */
static bool text_decode(core_slice text, core_buffer *out) {
    core_cursor cursor = core_cursor_make(text);
    while (core_cursor_left(&cursor) > 0) {
        uint8_t byte = core_cursor_u8(&cursor);
        if (is_plain(byte))
            core_buffer_u8(out, byte);
        else if (byte != '%' || !escape_decode(&cursor, out))
            return false;
    }
    return core_buffer_ok(out);
}

bool core_subject_token_decode(core_slice token, core_buffer *out) {
    if (token.length == 0 || token.length > CORE_SUBJECT_TOKEN_MAX)
        return false;
    return core_slice_is(token, "_") || text_decode(token, out);
}

/* ---- Types that no token can carry ---- */

/* A long name is never "_", so that its encoding is that of its parts. */
bool core_subject_type_long(core_slice type, char text[CORE_SUBJECT_TYPE_SIZE]) {
    enum { ESCAPE_BYTES = 3 };
    size_t length = 0;
    text[0] = '\0';
    if (type.length <= CORE_SUBJECT_TOKEN_MAX / ESCAPE_BYTES)
        return false;
    for (size_t at = 0; at < type.length;) {
        subject_token token = token_make();
        at += token_unit(&token, type.data + at, type.length - at);
        if (length + token.length >= CORE_SUBJECT_TYPE_SIZE)
            return false;
        memcpy(text + length, token.text, token.length);
        length += token.length;
    }
    text[length] = '\0';
    return length > CORE_SUBJECT_TOKEN_MAX;
}

bool core_subject_type_decode(core_slice text, core_buffer *out) {
    return text.length > CORE_SUBJECT_TOKEN_MAX && text.length < CORE_SUBJECT_TYPE_SIZE &&
           text_decode(text, out);
}

/* ---- Subjects ---- */

typedef struct {
    char *text; /* CORE_SUBJECT_MAX bytes */
    size_t length;
    bool failed;
} subject_text;

static void subject_put(subject_text *subject, core_slice token) {
    size_t dot = subject->length > 0 ? 1 : 0;
    if (subject->failed || subject->length + dot + token.length >= CORE_SUBJECT_MAX) {
        subject->failed = true;
        return;
    }
    if (dot)
        subject->text[subject->length++] = '.';
    memcpy(subject->text + subject->length, token.data, token.length);
    subject->length += token.length;
}

static void subject_put_slice(subject_text *subject, core_slice name) {
    subject_token token = token_make();
    token_name(&token, name);
    subject_put(subject, token_finish(&token));
}

static void subject_put_name(subject_text *subject, const char *name) {
    subject_put_slice(subject, core_slice_text(name));
}

static void subject_put_name_or_any(subject_text *subject, const char *name) {
    if (name != NULL)
        subject_put_name(subject, name);
    else
        subject_put(subject, core_slice_text("*"));
}

static bool subject_finish(subject_text *subject) {
    subject->text[subject->failed ? 0 : subject->length] = '\0';
    return !subject->failed;
}

static void subject_put_table(subject_text *subject, const char *home_schema, core_slice schema,
                              core_slice table) {
    subject_token token = token_make();
    if (schema.length > 0 && !core_slice_is(schema, home_schema)) {
        token_name(&token, schema);
        token_put(&token, ":", 1);
    }
    token_name(&token, table);
    subject_put(subject, token_finish(&token));
}

core_subject_scope core_subject_scope_of(const core_config *config) {
    return (core_subject_scope){
        .prefix = core_config_text(config, "nats.prefix"),
        .project = core_config_text(config, "project"),
        .environment = core_config_text(config, "environment"),
        .home_schema = core_config_text(config, "postgres.home_schema"),
        .tenants = core_tenants_of(config),
    };
}

static bool table_subject(const core_subject_scope *scope, core_slice schema, core_slice table,
                          const char *op, char text[CORE_SUBJECT_MAX]) {
    subject_text subject = {.text = text};
    char home[CORE_TENANT_SCHEMA_SIZE];
    core_slice project = core_slice_text(scope->project);
    const char *home_schema = scope->home_schema;
    core_slice tenant = core_tenants_project(&scope->tenants, schema);
    if (tenant.length > 0 && core_tenants_home(&scope->tenants, tenant, home)) {
        project = tenant;
        home_schema = home;
    }
    subject_put_name(&subject, scope->prefix);
    subject_put_slice(&subject, project);
    subject_put_name(&subject, scope->environment);
    subject_put_table(&subject, home_schema, schema, table);
    subject_put(&subject, core_slice_text(op));
    return subject_finish(&subject);
}

bool core_subject_change(const core_subject_scope *scope, core_slice schema, core_slice table,
                         core_op op, char text[CORE_SUBJECT_MAX]) {
    return table_subject(scope, schema, table, core_op_name(op), text);
}

bool core_subject_filter_table(const core_subject_scope *scope, core_slice schema, core_slice table,
                               char text[CORE_SUBJECT_MAX]) {
    return table_subject(scope, schema, table, "*", text);
}

bool core_subject_event(const core_subject_scope *scope, core_slice type,
                        char text[CORE_SUBJECT_MAX]) {
    subject_text subject = {.text = text};
    subject_token token = token_make();
    subject_put_name(&subject, scope->prefix);
    subject_put(&subject, core_slice_text("events"));
    subject_put_name(&subject, scope->project);
    token_name(&token, type);
    subject_put(&subject, token_finish(&token));
    return subject_finish(&subject);
}

/* Where tenants have their own, all projects of the environment are the source's. */
static const char *scope_projects(const core_subject_scope *scope) {
    return scope->tenants.count > 0 ? NULL : scope->project;
}

bool core_subject_filter(const core_subject_scope *scope, char text[CORE_SUBJECT_MAX]) {
    subject_text subject = {.text = text};
    subject_put_name(&subject, scope->prefix);
    subject_put_name_or_any(&subject, scope_projects(scope));
    subject_put_name_or_any(&subject, scope->environment);
    subject_put(&subject, core_slice_text("*"));
    subject_put(&subject, core_slice_text("*"));
    return subject_finish(&subject);
}

bool core_subject_snapshot(const core_subject_scope *scope, const char *id,
                           char text[CORE_SUBJECT_MAX]) {
    subject_text subject = {.text = text};
    subject_put_name(&subject, scope->prefix);
    subject_put(&subject, core_slice_text("snapshots"));
    subject_put_name(&subject, scope->project);
    subject_put_name(&subject, id);
    return subject_finish(&subject);
}

bool core_subject_work(const core_config *source, const char *word, const char *last,
                       char text[CORE_SUBJECT_MAX]) {
    const core_subject_scope scope = core_subject_scope_of(source);
    subject_text subject = {.text = text};
    subject_token token = token_make();
    token_name(&token, core_slice_text(scope.project));
    if (core_config_one_of_many(source)) {
        token_put(&token, ":", 1);
        token_name(&token, core_slice_text(scope.environment));
    }
    subject_put_name(&subject, scope.prefix);
    subject_put(&subject, core_slice_text(word));
    subject_put(&subject, token_finish(&token));
    subject_put_name_or_any(&subject, last);
    return subject_finish(&subject);
}

bool core_subject_audit(const char *prefix, const char *project, const char *kind,
                        char text[CORE_SUBJECT_MAX]) {
    subject_text subject = {.text = text};
    subject_put_name(&subject, prefix);
    subject_put(&subject, core_slice_text("audit"));
    subject_put_name(&subject, project);
    subject_put(&subject, core_slice_text(kind));
    return subject_finish(&subject);
}

/* `kind` is "b" or "p" of what is heard live only. */
static bool realtime_subject(const core_subject_scope *scope, const char *kind, core_slice last,
                             char text[CORE_SUBJECT_MAX]) {
    subject_text subject = {.text = text};
    subject_put_name(&subject, scope->prefix);
    subject_put(&subject, core_slice_text("realtime"));
    subject_put_name(&subject, scope->project);
    if (kind != NULL) {
        subject_put_name(&subject, scope->environment);
        subject_put(&subject, core_slice_text(kind));
    }
    subject_put_slice(&subject, last);
    return subject_finish(&subject);
}

bool core_subject_realtime_stored(const core_subject_scope *scope, core_slice channel,
                                  char text[CORE_SUBJECT_MAX]) {
    return realtime_subject(scope, NULL, channel, text);
}

bool core_subject_realtime_live(const core_subject_scope *scope, core_slice channel,
                                char text[CORE_SUBJECT_MAX]) {
    return realtime_subject(scope, "b", channel, text);
}

bool core_subject_realtime_presence(const core_subject_scope *scope, core_slice node,
                                    char text[CORE_SUBJECT_MAX]) {
    return realtime_subject(scope, "p", node, text);
}

bool core_subject_filter_realtime(const core_subject_scope *scope, char text[CORE_SUBJECT_MAX]) {
    subject_text subject = {.text = text};
    subject_put_name(&subject, scope->prefix);
    subject_put(&subject, core_slice_text("realtime"));
    subject_put_name_or_any(&subject, scope_projects(scope));
    subject_put(&subject, core_slice_text(">"));
    return subject_finish(&subject);
}

/* Encoded once more: a long one's token cannot be decoded. */
static bool token_is(core_slice text, const char *name) {
    subject_token token = token_make();
    token_name(&token, core_slice_text(name));
    return core_slice_equal(token_finish(&token), text);
}

/* How many tokens there are, of which the first `max` are told. */
static size_t subject_tokens(const char *subject, core_slice tokens[], size_t max) {
    size_t count = 0;
    for (const char *end = subject; *end != '\0'; subject = end + 1, count++) {
        end = subject + strcspn(subject, ".");
        if (count < max)
            tokens[count] = core_slice_make(subject, (size_t)(end - subject));
    }
    return count;
}

core_subject_realtime core_subject_realtime_of(const core_subject_scope *scope, const char *subject,
                                               core_slice *project) {
    enum { PROJECT = 2, ENVIRONMENT, STORED, KIND = STORED, LIVE = 6 };
    core_slice tokens[LIVE];
    size_t count = subject_tokens(subject, tokens, LIVE);
    if (count != STORED && count != LIVE)
        return CORE_SUBJECT_REALTIME_OTHERS;
    *project = tokens[PROJECT];
    if (count == STORED)
        return CORE_SUBJECT_REALTIME_BROADCAST;
    if (!token_is(tokens[ENVIRONMENT], scope->environment))
        return CORE_SUBJECT_REALTIME_OTHERS;
    if (core_slice_is(tokens[KIND], "b"))
        return CORE_SUBJECT_REALTIME_BROADCAST;
    return core_slice_is(tokens[KIND], "p") && token_is(*project, scope->project)
               ? CORE_SUBJECT_REALTIME_PRESENCE
               : CORE_SUBJECT_REALTIME_OTHERS;
}

bool core_subject_filter_op(const core_subject_scope *scope, core_op op,
                            char text[CORE_SUBJECT_MAX]) {
    subject_text subject = {.text = text};
    subject_put_name(&subject, scope->prefix);
    subject_put_name_or_any(&subject, scope_projects(scope));
    subject_put_name_or_any(&subject, scope->environment);
    subject_put(&subject, core_slice_text("*"));
    subject_put(&subject, core_slice_text(core_op_name(op)));
    return subject_finish(&subject);
}

bool core_subject_filter_source(const core_config *source, char text[CORE_SUBJECT_MAX]) {
    core_subject_scope scope = core_subject_scope_of(source);
    if (!core_config_one_of_many(source))
        scope.project = scope.environment = NULL; /* alone, and so were those before this setting */
    return core_subject_filter(&scope, text);
}

bool core_subject_id_valid(const char *id, core_error *error) {
    static const char *const reserved[] = {"events",   "jobs",      "workflows", "triggers",
                                           "realtime", "snapshots", "audit"};
    size_t length = strlen(id);
    if (length == 0 || length > ID_MAX_BYTES)
        return core_error_set(error, CORE_ERROR_CONFIG,
                              "id \"%.*s\" has %zu bytes, expected 1 to %d", ID_MAX_BYTES, id,
                              length, ID_MAX_BYTES);
    for (size_t i = 0; i < CORE_COUNT_OF(reserved); i++)
        if (strcmp(id, reserved[i]) == 0)
            return core_error_set(error, CORE_ERROR_CONFIG,
                                  "id \"%s\" is reserved: it names a stream of Walcast's own; "
                                  "choose another",
                                  id);
    return true;
}
