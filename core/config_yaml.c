/* The YAML file as a source of configuration; the one file that knows libyaml's event parser.
 *
 * Nested maps and dotted keys are the same: `nats: {url: x}` and `nats.url: x`. A document is one
 * map of known keys with scalars or sequences of scalars below them; whatever else YAML can do
 * (anchors, aliases, tags, further documents) is refused, so nothing can grow beyond the file's own
 * size. Problems are told with their line and reading goes on behind them, except after a syntax
 * error, which ends the file. */
#include "core/config_private.h"

#include <stdlib.h>
#include <yaml.h>

#define YAML_DEPTH_MAX    8 /* our keys have two levels; deeper is unknown anyway */
#define YAML_ITEMS_MAX    1024
#define YAML_SECTIONS_MAX 512

typedef struct {
    core_config_loader *loader;
    const char *name;
    core_slice text;
    yaml_parser_t parser;
    bool failed; /* syntax error: no further event */
    /* Sections met so far, to find one that is given twice. */
    char sections[YAML_SECTIONS_MAX][CORE_CONFIG_KEY_MAX];
    size_t section_lines[YAML_SECTIONS_MAX];
    size_t section_count;
} yaml_reader;

static void yaml_problem(yaml_reader *reader, size_t line, const char *key, const char *message) {
    char origin[CORE_CONFIG_ORIGIN_MAX];
    (void)snprintf(origin, sizeof origin, "%s:%zu", reader->name, line);
    if (*key == '\0')
        core_config_problem(reader->loader, origin, "%s", message);
    else
        core_config_problem(reader->loader, origin, "%s: %s", key, message);
}

static size_t yaml_line(const yaml_event_t *event) {
    return event->start_mark.line + 1;
}

/* Is there a tab in the white space that begins the line? */
static bool yaml_line_has_tab(core_slice text, size_t line) {
    size_t at = 0;
    for (size_t current = 1; current < line && at < text.length; at++)
        current += text.data[at] == '\n';
    while (at < text.length && text.data[at] == ' ')
        at++;
    return at < text.length && text.data[at] == '\t';
}

static void yaml_syntax_problem(yaml_reader *reader) {
    const yaml_parser_t *parser = &reader->parser;
    size_t line = parser->problem_mark.line + 1;
    char message[CORE_CONFIG_ORIGIN_MAX];
    (void)snprintf(message, sizeof message, "not valid YAML: %s%s%s",
                   parser->problem != NULL ? parser->problem : "out of memory",
                   parser->context != NULL ? " " : "",
                   parser->context != NULL ? parser->context : "");
    if (yaml_line_has_tab(reader->text, line))
        (void)snprintf(message, sizeof message,
                       "not valid YAML: a tab indents the line; use spaces");
    yaml_problem(reader, line, "", message);
}

/* The next event, to be deleted by the caller. False after a syntax error. */
static bool yaml_next(yaml_reader *reader, yaml_event_t *event) {
    if (!reader->failed && yaml_parser_parse(&reader->parser, event))
        return true;
    if (!reader->failed)
        yaml_syntax_problem(reader);
    reader->failed = true;
    return false;
}

static bool yaml_opens(const yaml_event_t *event) {
    return event->type == YAML_MAPPING_START_EVENT || event->type == YAML_SEQUENCE_START_EVENT;
}

static bool yaml_closes(const yaml_event_t *event) {
    return event->type == YAML_MAPPING_END_EVENT || event->type == YAML_SEQUENCE_END_EVENT;
}

/* Reads past the node that `first` begins. */
static void yaml_skip(yaml_reader *reader, const yaml_event_t *first) {
    size_t depth = yaml_opens(first);
    while (depth > 0) {
        yaml_event_t event;
        if (!yaml_next(reader, &event))
            return;
        depth += yaml_opens(&event);
        depth -= yaml_closes(&event);
        yaml_event_delete(&event);
    }
}

/* What of YAML is refused at any node: NULL when nothing is. */
static const char *yaml_refusal(const yaml_event_t *event) {
    const yaml_char_t *anchor = NULL, *tag = NULL;
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return "an alias (*) is not supported: write the value out";
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
        break;
    default:
        break;
    }
    if (anchor != NULL)
        return "an anchor (&) is not supported: remove it";
    return tag != NULL ? "a tag (!) is not supported: remove it" : NULL;
}

static bool yaml_scalar_has_nul(const yaml_event_t *event) {
    return memchr(event->data.scalar.value, '\0', event->data.scalar.length) != NULL;
}

static const char *yaml_scalar_text(const yaml_event_t *event) {
    return (const char *)event->data.scalar.value;
}

static bool yaml_scalar_is_null(const yaml_event_t *event) {
    const char *text = yaml_scalar_text(event);
    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (*text == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

/* ---- Sections ---- */

/* Is `path` a section: do known keys go on below it? The empty path is. */
static bool yaml_is_section(const char *path) {
    path = core_config_key_bare(path);
    size_t count, length = strlen(path);
    const core_config_row *rows = core_config_rows(&count);
    for (size_t i = 0; i < count; i++)
        if (length == 0 || (strncmp(rows[i].key, path, length) == 0 && rows[i].key[length] == '.'))
            return true;
    return false;
}

/* Notes the section; tells when it was there before. */
static void yaml_section_enter(yaml_reader *reader, const char *path, size_t line) {
    for (size_t i = 0; i < reader->section_count; i++) {
        if (strcmp(reader->sections[i], path) != 0)
            continue;
        char message[CORE_CONFIG_ORIGIN_MAX];
        (void)snprintf(message, sizeof message,
                       "this section is given twice, first at line %zu; join them",
                       reader->section_lines[i]);
        yaml_problem(reader, line, path, message);
        return;
    }
    if (reader->section_count == YAML_SECTIONS_MAX) {
        yaml_problem(reader, line, path, "is one section too many");
        return;
    }
    (void)snprintf(reader->sections[reader->section_count], CORE_CONFIG_KEY_MAX, "%s", path);
    reader->section_lines[reader->section_count++] = line;
}

/* ---- Values ---- */

static void yaml_apply(yaml_reader *reader, const char *key, const char *const *items, size_t count,
                       bool list, size_t line) {
    char origin[CORE_CONFIG_ORIGIN_MAX];
    (void)snprintf(origin, sizeof origin, "%s:%zu", reader->name, line);
    core_config_entry entry = {.key = key,
                               .items = items,
                               .count = count,
                               .list = list,
                               .origin = origin,
                               .layer = CORE_CONFIG_LAYER_FILE};
    core_config_apply(reader->loader, &entry);
}

static void yaml_scalar_read(yaml_reader *reader, const char *key, const yaml_event_t *event) {
    const char *text = yaml_scalar_text(event);
    size_t line = yaml_line(event);
    bool null = yaml_scalar_is_null(event);
    if (null && yaml_is_section(key))
        return; /* everything below it is commented out */
    if (yaml_is_section(key))
        yaml_problem(reader, line, key, "is a section: expected keys below it, indented");
    else if (yaml_scalar_has_nul(event))
        yaml_problem(reader, line, key, "expected a text without control characters");
    else if (null && core_config_row_find(core_config_key_bare(key)) != NULL)
        yaml_problem(reader, line, key, "has no value: give one or remove the line");
    else
        yaml_apply(reader, key, &text, 1, false, line);
}

/* One item of a sequence: a copy of its text, NULL (and told) when it is not a scalar. */
static char *yaml_item_read(yaml_reader *reader, const char *key, const yaml_event_t *event) {
    const char *refusal = yaml_refusal(event);
    if (refusal == NULL && event->type != YAML_SCALAR_EVENT)
        refusal = "expected a list of plain values";
    if (refusal == NULL && (yaml_scalar_has_nul(event) || yaml_scalar_is_null(event)))
        refusal = "expected items that are not empty";
    char *item = refusal == NULL ? strdup(yaml_scalar_text(event)) : NULL;
    if (item == NULL) {
        yaml_problem(reader, yaml_line(event), key, refusal != NULL ? refusal : "out of memory");
        yaml_skip(reader, event);
    }
    return item;
}

static void yaml_sequence_read(yaml_reader *reader, const char *key, size_t line) {
    char *items[YAML_ITEMS_MAX];
    size_t count = 0;
    bool whole = true, open = true;
    while (open) {
        yaml_event_t event;
        if (!yaml_next(reader, &event)) {
            whole = false;
            break;
        }
        open = event.type != YAML_SEQUENCE_END_EVENT;
        char *item = open ? yaml_item_read(reader, key, &event) : NULL;
        whole &= !open || item != NULL;
        if (item != NULL && count < YAML_ITEMS_MAX)
            items[count++] = item;
        else if (item != NULL) {
            free(item);
            if (whole)
                yaml_problem(reader, yaml_line(&event), key, "expected at most 1024 items");
            whole = false;
        }
        yaml_event_delete(&event);
    }
    if (whole)
        yaml_apply(reader, key, (const char *const *)items, count, true, line);
    while (count > 0)
        free(items[--count]);
}

/* ---- The tree ---- */

static void yaml_mapping_read(yaml_reader *reader, const char *path, size_t depth);

static void yaml_node_read(yaml_reader *reader, const char *path, size_t depth,
                           const yaml_event_t *event) {
    size_t line = yaml_line(event);
    const char *refusal = yaml_refusal(event);
    if (refusal != NULL) {
        yaml_problem(reader, line, path, refusal);
        yaml_skip(reader, event);
    } else if (event->type == YAML_SCALAR_EVENT) {
        yaml_scalar_read(reader, path, event);
    } else if (event->type == YAML_SEQUENCE_START_EVENT && !yaml_is_section(path)) {
        yaml_sequence_read(reader, path, line);
    } else if (event->type == YAML_MAPPING_START_EVENT && yaml_is_section(path) &&
               depth < YAML_DEPTH_MAX) {
        yaml_section_enter(reader, path, line);
        yaml_mapping_read(reader, path, depth + 1);
    } else {
        const core_config_row *row = core_config_row_find(core_config_key_bare(path));
        char message[CORE_CONFIG_ORIGIN_MAX];
        (void)snprintf(message, sizeof message, "expected %s, not a %s",
                       row != NULL ? core_config_type_expected(row->type) : "keys below it",
                       event->type == YAML_MAPPING_START_EVENT ? "map" : "list");
        if (row == NULL && !yaml_is_section(path))
            yaml_apply(reader, path, NULL, 0, true, line); /* tells that it is unknown */
        else
            yaml_problem(reader, line, path, message);
        yaml_skip(reader, event);
    }
}

/* "nats" and "url" to "nats.url". False when the key is no usable name. */
static bool yaml_path_join(const char *path, const yaml_event_t *key,
                           char joined[CORE_CONFIG_KEY_MAX]) {
    if (key->type != YAML_SCALAR_EVENT || yaml_refusal(key) != NULL || yaml_scalar_has_nul(key) ||
        key->data.scalar.length == 0)
        return false;
    int length = snprintf(joined, CORE_CONFIG_KEY_MAX, "%s%s%s", path, *path == '\0' ? "" : ".",
                          yaml_scalar_text(key));
    return length > 0 && length < CORE_CONFIG_KEY_MAX;
}

/* One key and its value; false at the map's end. */
static bool yaml_pair_read(yaml_reader *reader, const char *path, size_t depth) {
    yaml_event_t key, value;
    if (!yaml_next(reader, &key))
        return false;
    bool end = key.type == YAML_MAPPING_END_EVENT;
    char joined[CORE_CONFIG_KEY_MAX] = "";
    bool named = !end && yaml_path_join(path, &key, joined);
    if (!end && !named) {
        yaml_problem(reader, yaml_line(&key), path, "expected a key that is a short plain name");
        yaml_skip(reader, &key);
    }
    yaml_event_delete(&key);
    if (end || !yaml_next(reader, &value))
        return false;
    if (named)
        yaml_node_read(reader, joined, depth, &value);
    else
        yaml_skip(reader, &value);
    yaml_event_delete(&value);
    return true;
}

static void yaml_mapping_read(yaml_reader *reader, const char *path, size_t depth) {
    while (yaml_pair_read(reader, path, depth)) {
    }
}

static void yaml_stream_read(yaml_reader *reader) {
    bool end = false;
    for (size_t documents = 0; !end;) {
        yaml_event_t event;
        if (!yaml_next(reader, &event))
            return;
        if (event.type == YAML_DOCUMENT_START_EVENT && ++documents == 2) {
            yaml_problem(reader, yaml_line(&event), "", "expected one document: remove this `---`");
            end = true;
        } else if (event.type == YAML_MAPPING_START_EVENT && yaml_refusal(&event) == NULL) {
            yaml_mapping_read(reader, "", 1);
        } else if (event.type == YAML_SCALAR_EVENT && yaml_scalar_is_null(&event)) {
            /* A file of comments. */
        } else if (yaml_opens(&event) || event.type == YAML_SCALAR_EVENT ||
                   event.type == YAML_ALIAS_EVENT) {
            yaml_problem(reader, yaml_line(&event), "",
                         "expected a map of keys such as `nats.url: nats://127.0.0.1:4222`");
            yaml_skip(reader, &event);
        }
        end |= event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
}

void core_config_yaml_apply(core_config_loader *loader, core_slice text, const char *name) {
    yaml_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL || !yaml_parser_initialize(&reader->parser)) {
        core_config_problem(loader, name, "out of memory");
        free(reader);
        return;
    }
    reader->loader = loader;
    reader->name = name;
    reader->text = text;
    yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader->parser, text.data, text.length);
    yaml_stream_read(reader);
    yaml_parser_delete(&reader->parser);
    free(reader);
}
