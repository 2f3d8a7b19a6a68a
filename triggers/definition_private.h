/* What the files that read a definition share; see definition.h for what it promises.
 *
 * definition_table.c declares the keys, definition_section.c walks a document's maps by it,
 * definition_value.c reads the values of each kind, definition.c makes and frees definitions,
 * definition_whole.c holds what several keys together must be, definition_reference.c prints the
 * table for the docs. */
#ifndef WALCAST_TRIGGERS_DEFINITION_PRIVATE_H
#define WALCAST_TRIGGERS_DEFINITION_PRIVATE_H

#include "triggers/definition.h"

#include <stdio.h>

typedef enum {
    TRIGGERS_KEY_TEXT,
    TRIGGERS_KEY_NAME,
    TRIGGERS_KEY_BOOL,
    TRIGGERS_KEY_INTEGER,  /* uint32_t or int32_t */
    TRIGGERS_KEY_DURATION, /* int64_t of ms */
    TRIGGERS_KEY_CHOICE,   /* an enum, in the order of `choices` */
    TRIGGERS_KEY_CHOICES,  /* unsigned of bits, in the same order */
    TRIGGERS_KEY_TABLE,
    TRIGGERS_KEY_EVENT,      /* an event's type, perhaps with * at its end */
    TRIGGERS_KEY_REFERENCES, /* triggers_selected[] */
    TRIGGERS_KEY_KEY,        /* the same, and their text */
    TRIGGERS_KEY_SELECT,     /* the same, with names */
    TRIGGERS_KEY_URL,
    TRIGGERS_KEY_SECRET,
    TRIGGERS_KEY_HEADERS,
    TRIGGERS_KEY_RATE,
    TRIGGERS_KEY_SUBJECT,
    TRIGGERS_KEY_PARAMETERS,
    TRIGGERS_KEY_DELAYS,
    TRIGGERS_KEY_START,
    TRIGGERS_KEY_SECTION, /* keys below it */
} triggers_key_kind;

typedef struct {
    const char *section; /* "", "on", "do.webhook" */
    const char *name;
    triggers_key_kind kind;
    bool required;
    const char *needs; /* another key of the section that it goes with; NULL: none */
    size_t offset;     /* of the field in triggers_definition */
    size_t count;      /* of an array's count there */
    int64_t min, max;  /* of numbers; of a text its most bytes */
    const char *choices;
    const char *initial; /* as an author would write it; NULL: none */
    const char *doc;     /* one or two sentences */
} triggers_key;

/* definition_table.c */
const triggers_key *triggers_keys(size_t *count);
const triggers_key *triggers_key_find(const char *section, core_slice name);

/* definition_reference.c: the keys as a part of docs/TRIGGERS.md. */
void triggers_reference_print(FILE *out);

typedef struct {
    triggers_definition *out;
    core_arena *arena;
    core_problems *problems;
    const triggers_definition_facts *facts;
} triggers_definition_reader;

/* definition_section.c */
/* Reads the map into the definition; false when something in it was told to be wrong. */
bool triggers_section_read(triggers_definition_reader *reader, const char *section,
                           const core_node *map);

/* definition_value.c, definition_list.c: one value each, told when it is wrong. */
typedef bool (*triggers_value_reader)(triggers_definition_reader *reader, const triggers_key *key,
                                      const core_node *node);
triggers_value_reader triggers_value_reader_of(triggers_key_kind kind);
/* What a value of the kind looks like: "a duration such as 5s". */
const char *triggers_value_form(triggers_key_kind kind);
/* Where the key's value goes. */
void *triggers_field(const triggers_definition_reader *reader, size_t offset);
/* "KEY: expected WHAT". False. */
bool triggers_expected(triggers_definition_reader *reader, const triggers_key *key,
                       const core_node *node, const char *what);
/* A copy that lives as the definition does; false and told without memory. */
bool triggers_keep(triggers_definition_reader *reader, core_slice text, core_slice *kept);
/* An array of `count` that lives as the definition does; NULL and told without memory. */
void *triggers_array(triggers_definition_reader *reader, size_t count, size_t size);

/* The next of words apart by commas or blanks; false behind the last one. */
bool triggers_word_next(core_slice *rest, core_slice *word);
bool triggers_references_value(triggers_definition_reader *reader, const triggers_key *key,
                               const core_node *node);
bool triggers_key_value(triggers_definition_reader *reader, const triggers_key *key,
                        const core_node *node);
bool triggers_select_value(triggers_definition_reader *reader, const triggers_key *key,
                           const core_node *node);
bool triggers_secret_value(triggers_definition_reader *reader, const triggers_key *key,
                           const core_node *node);
bool triggers_headers_value(triggers_definition_reader *reader, const triggers_key *key,
                            const core_node *node);
bool triggers_parameters_value(triggers_definition_reader *reader, const triggers_key *key,
                               const core_node *node);
bool triggers_delays_value(triggers_definition_reader *reader, const triggers_key *key,
                           const core_node *node);

/* definition_whole.c */
bool triggers_on_check(triggers_definition_reader *reader, const core_node *on);
bool triggers_do_check(triggers_definition_reader *reader, const core_node *action);
bool triggers_whole_check(triggers_definition_reader *reader, const core_node *root);

#endif
