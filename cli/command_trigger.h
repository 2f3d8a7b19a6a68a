/* `walcast trigger`, which stands in several files. Private to cli. */
#ifndef WALCAST_CLI_COMMAND_TRIGGER_H
#define WALCAST_CLI_COMMAND_TRIGGER_H

#include "cli/triggers.h"

typedef struct {
    cli_triggers base;   /* first: printers are handed it */
    const char *project; /* NULL: list all */
} trigger_command;

/* --project, or the configuration's. */
const char *cli_trigger_project(const trigger_command *command);

/* What is stored of the trigger that the command names, which must be there; its slices live until
 * the store's next call. */
CORE_MUST_CHECK bool cli_trigger_get(trigger_command *command, fanout_definition *stored,
                                     uint64_t *revision, core_error *error);
/* Its definition, held; NULL with an error. */
CORE_MUST_CHECK const triggers_definition *cli_trigger_stored(trigger_command *command,
                                                              core_error *error);

/* Actions: false with an error. */

/* command_trigger_past.c: held against what is past, and that delivered again. */
CORE_MUST_CHECK bool cli_trigger_dry_run(trigger_command *command, core_error *error);
CORE_MUST_CHECK bool cli_trigger_redeliver(trigger_command *command, core_error *error);
/* command_trigger_listen.c: deliveries as they are made of events, shown here. */
CORE_MUST_CHECK bool cli_trigger_listen(trigger_command *command, core_error *error);

#endif
