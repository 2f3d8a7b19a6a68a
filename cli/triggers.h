/* What the commands for triggers share. Private to cli. */
#ifndef WALCAST_CLI_TRIGGERS_H
#define WALCAST_CLI_TRIGGERS_H

#include "cli/command.h"
#include "triggers/triggers.h"

typedef struct {
    const cli_arguments *arguments;
    core_config *config;
    core_log *log;
    triggers_spec spec;
    fanout_definitions *store; /* the command's, to make; freed by _close */
    bool prints_json;
    bool bad; /* something that was printed makes the answer bad */
} cli_triggers;

/* The configuration and a log; false with `*result`, told. _close in every case. */
CORE_MUST_CHECK bool cli_triggers_open(cli_triggers *it, const cli_arguments *arguments,
                                       cli_exit *result);
void cli_triggers_close(cli_triggers *it);
void cli_triggers_files_init(const cli_triggers *it, const core_definition_kind *kind,
                             core_definition_files *files);
/* Reads the paths; none: the directory that the key of that name says. Problems that do not hang on
 * the schema are in the files. */
CORE_MUST_CHECK bool cli_triggers_files(const cli_triggers *it, const char *directory,
                                        const char *const *paths, size_t count,
                                        core_definition_files *files, core_error *error);
/* With the live schema's, in fanout_definitions_check's way. */
CORE_MUST_CHECK bool cli_triggers_check(const cli_triggers *it, core_definition_files *files,
                                        core_error *error);
/* What is wrong with the files, and what is hardly meant so: one line each, of which errors make
 * the answer bad. */
void cli_triggers_print(cli_triggers *it, const core_definition_files *files);
/* One JSON object as a line. */
void cli_triggers_line(core_buffer *json);

#endif
