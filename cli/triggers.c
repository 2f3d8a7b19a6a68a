/* See triggers.h. */
#include "cli/triggers.h"

#include <stdio.h>
#include <unistd.h>

#define LINE_MAX_BYTES ((size_t)1 << 20)

bool cli_triggers_open(cli_triggers *it, const cli_arguments *arguments, cli_exit *result) {
    *it = (cli_triggers){.arguments = arguments, .prints_json = cli_flag(arguments, "--json")};
    it->config = cli_config_load(arguments);
    *result = CLI_USAGE;
    if (it->config == NULL)
        return false;
    it->log = core_log_new(STDERR_FILENO, CORE_LOG_ERROR, false, core_clock_system());
    *result = CLI_BAD;
    it->spec = (triggers_spec){.config = it->config, .log = it->log, .clock = core_clock_system()};
    return it->log != NULL;
}

void cli_triggers_close(cli_triggers *it) {
    fanout_definitions_free(it->store);
    core_log_free(it->log);
    core_config_free(it->config);
}

void cli_triggers_files_init(const cli_triggers *it, const core_definition_kind *kind,
                             core_definition_files *files) {
    core_definition_files_init(files, kind,
                               core_slice_text(core_config_text(it->config, "project")),
                               core_slice_text(core_config_text(it->config, "environment")));
}

bool cli_triggers_files(const cli_triggers *it, const char *directory, const char *const *paths,
                        size_t count, core_definition_files *files, core_error *error) {
    bool ok = count > 0 || core_definition_files_add(files, core_config_text(it->config, directory),
                                                     true, error);
    for (size_t i = 0; ok && i < count; i++)
        ok = core_definition_files_add(files, paths[i], false, error);
    core_definition_files_end(files);
    return ok;
}

bool cli_triggers_check(const cli_triggers *it, core_definition_files *files, core_error *error) {
    triggers_check *check = triggers_check_new(&it->spec, error);
    if (check == NULL)
        return false;
    const fanout_definition_check checking = triggers_check_of(check);
    bool ok = fanout_definitions_check(files, it->config, &checking, error);
    triggers_check_free(check);
    return ok;
}

void cli_triggers_line(core_buffer *json) {
    if (core_buffer_ok(json))
        (void)printf("%.*s\n", CORE_SLICE_ARGS(core_buffer_slice(json)));
    core_buffer_reset(json);
}

static void problem_print_json(const core_definition_file *file, const core_problem *problem) {
    core_buffer text;
    core_buffer_init(&text, LINE_MAX_BYTES);
    core_json_writer json = core_json_writer_make(&text);
    core_json_object_open(&json);
    core_json_key_text(&json, "file");
    core_json_text(&json, file->path);
    core_json_key_text(&json, "line");
    core_json_unsigned(&json, problem->place.line);
    core_json_key_text(&json, "column");
    core_json_unsigned(&json, problem->place.column);
    core_json_key_text(&json, "severity");
    core_json_text(&json, problem->is_warning ? "warning" : "error");
    core_json_key_text(&json, "message");
    core_json_text(&json, problem->text);
    core_json_object_close(&json);
    cli_triggers_line(&text);
    core_buffer_fini(&text);
}

void cli_triggers_print(cli_triggers *it, const core_definition_files *files) {
    for (size_t i = 0; i < files->count; i++) {
        const core_definition_file *file = &files->items[i];
        core_buffer text;
        core_buffer_init(&text, LINE_MAX_BYTES);
        for (size_t j = 0; it->prints_json && j < file->problems.count; j++)
            problem_print_json(file, &file->problems.items[j]);
        core_problems_print(&file->problems, file->path, &text);
        if (!it->prints_json)
            (void)fprintf(stderr, "%.*s", CORE_SLICE_ARGS(core_buffer_slice(&text)));
        it->bad |= !core_problems_ok(&file->problems);
        core_buffer_fini(&text);
    }
}
