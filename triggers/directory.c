/* See directory.h: the thread is fanout's (fanout/definition.h). */
#include "triggers/directory.h"

#include <stdlib.h>

#define DIRECTORY_MAGIC UINT32_C(0x54444952) /* "TDIR" */

typedef struct {
    triggers_part part; /* first: the interface points here */
    uint32_t magic;
    const triggers_host *host;
    triggers_check *check;
    fanout_definition_directory *files;
} triggers_directory;

static triggers_directory *directory_of(void *context) {
    triggers_directory *directory = context;
    CORE_MAGIC_CHECK(directory, DIRECTORY_MAGIC);
    return directory;
}

static void applied_audit(void *context, const fanout_applied *applied) {
    static const char *const acts[] = {[FANOUT_CREATED] = "trigger.created",
                                       [FANOUT_CHANGED] = "trigger.changed",
                                       [FANOUT_REMOVED] = "trigger.removed"};
    const triggers_directory *directory = directory_of(context);
    const auth_act act = {.act = acts[applied->outcome],
                          .object = applied->name,
                          .detail = applied->file,
                          .project = applied->project};
    if (directory->host->spec.audit != NULL)
        auth_audit_act(directory->host->spec.audit, &act);
}

static bool part_start(triggers_part *part, core_error *error) {
    return fanout_definition_directory_start(directory_of(part)->files, error);
}

static core_readiness part_ready(triggers_part *part, char *reason, size_t reason_size) {
    return fanout_definition_directory_ready(directory_of(part)->files, reason, reason_size);
}

static void part_stop(triggers_part *part) {
    triggers_directory *directory = directory_of(part);
    fanout_definition_directory_free(directory->files);
    triggers_check_free(directory->check);
    directory->magic = 0;
    free(directory);
}

static bool files_make(triggers_directory *directory, core_error *error) {
    const triggers_host *host = directory->host;
    directory->check = triggers_check_new(&host->spec, error);
    if (directory->check == NULL)
        return false;
    const fanout_definition_directory_spec spec = {
        .definitions = triggers_definitions_spec(&host->spec),
        .room = "triggers",
        .thread = "triggers-files",
        .client = "walcast-triggers-files",
        .path = core_config_text(host->spec.config, "triggers.dir"),
        .project = core_slice_text(host->tenants.project),
        .environment = core_slice_text(host->tenants.environment),
        .check = triggers_check_of(directory->check),
        .applied = applied_audit,
        .context = directory,
    };
    directory->files = fanout_definition_directory_new(&spec, error);
    return directory->files != NULL;
}

triggers_part *triggers_directory_part(triggers_host *host, core_error *error) {
    triggers_directory *directory = calloc(1, sizeof *directory);
    if (directory == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for files of triggers");
        return NULL;
    }
    *directory = (triggers_directory){
        .part = {.name = "files", .start = part_start, .ready = part_ready, .stop = part_stop},
        .magic = DIRECTORY_MAGIC,
        .host = host,
    };
    if (files_make(directory, error))
        return &directory->part;
    part_stop(&directory->part);
    return NULL;
}
