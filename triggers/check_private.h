/* What the files that hold a definition against a table share; see check.h. */
#ifndef WALCAST_TRIGGERS_CHECK_PRIVATE_H
#define WALCAST_TRIGGERS_CHECK_PRIVATE_H

#include "triggers/check.h"
#include "triggers/check_table.h"
#include "triggers/reference.h"

typedef struct {
    const triggers_definition *definition;
    const core_document *document;
    const triggers_check_table *table;
    core_problems *problems;
    const char *mending;  /* the statement that gives the whole old row */
    bool reads_unchanged; /* cdc fills in what an UPDATE did not send */
} triggers_check_case;

/* check.c: the definition's table as it is now; `_fini` in every case. False with an error. */
CORE_MUST_CHECK bool triggers_check_shape(triggers_check *check,
                                          const triggers_definition *definition,
                                          triggers_check_table *table, core_error *error);

/* How a reference is used. */
typedef enum {
    TRIGGERS_USE_CONDITION,
    TRIGGERS_USE_DATA, /* select, template, parameters */
    TRIGGERS_USE_KEY,
} triggers_use;

/* check_reference.c: one reference at its place. False when it was told to be wrong. */
bool triggers_check_reference(const triggers_check_case *it, core_place place, triggers_use use,
                              const triggers_reference *reference);
/* All references of a text, by the places of its characters. */
bool triggers_check_text(const triggers_check_case *it, const core_node *node, triggers_use use);
/* check_condition.c */
void triggers_check_condition(const triggers_check_case *it, const core_node *node);
/* check_schedule.c: expression and time zone of one that is on cron. */
void triggers_check_schedule(const triggers_definition *definition, const core_document *document,
                             core_problems *problems);

/* check_statement.c: of a definition whose action is SQL. */
void triggers_check_statement(const core_config *config, const triggers_definition *definition,
                              const core_document *document, core_problems *problems);

#endif
