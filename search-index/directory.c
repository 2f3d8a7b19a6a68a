/* Definitions from files, `search.definitions`: put into key-value by fanout's thread
 * (fanout/definition.h). */
#include "search-index/host.h"
#include "search-index/kind.h"

#include <stdlib.h>

#define DIRECTORY_MAGIC UINT32_C(0x53444952) /* "SDIR" */

typedef struct {
    search_part part; /* first: the interface points here */
    uint32_t magic;
    search_host *host;
    search_check *check;
    fanout_definition_directory *files;
} search_directory;

static search_directory *directory_of(void *context) {
    search_directory *directory = context;
    CORE_MAGIC_CHECK(directory, DIRECTORY_MAGIC);
    return directory;
}

static void applied_audit(void *context, const fanout_applied *applied) {
    const search_directory *directory = directory_of(context);
    const auth_act act = {.act = applied->outcome == FANOUT_REMOVED ? "index.removed"
                                                                    : "index.defined",
                          .object = applied->name,
                          .detail = applied->file,
                          .project = applied->project};
    if (directory->host->spec.audit != NULL)
        auth_audit_act(directory->host->spec.audit, &act);
}

static bool part_start(search_part *part, core_error *error) {
    return fanout_definition_directory_start(directory_of(part)->files, error);
}

static core_readiness part_ready(search_part *part, char *reason, size_t reason_size) {
    return fanout_definition_directory_ready(directory_of(part)->files, reason, reason_size);
}

static void part_stop(search_part *part) {
    search_directory *directory = directory_of(part);
    fanout_definition_directory_free(directory->files);
    search_check_free(directory->check);
    directory->magic = 0;
    free(directory);
}

static bool files_make(search_directory *directory, core_error *error) {
    const search_host *host = directory->host;
    directory->check = search_check_new(&host->spec, error);
    if (directory->check == NULL)
        return false;
    const fanout_definition_directory_spec spec = {
        .definitions = search_definitions_spec(&host->spec),
        .room = "search",
        .thread = "search-files",
        .client = "walcast-search-files",
        .path = core_config_text(host->spec.config, "search.definitions"),
        .project = core_slice_text(host->tenants.project),
        .environment = core_slice_text(host->tenants.environment),
        .check = search_check_of(directory->check),
        .applied = applied_audit,
        .context = directory,
    };
    directory->files = fanout_definition_directory_new(&spec, error);
    return directory->files != NULL;
}

search_part *search_directory_part(search_host *host, core_error *error) {
    search_directory *directory = calloc(1, sizeof *directory);
    if (directory == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for files of indexes");
        return NULL;
    }
    *directory = (search_directory){
        .part = {.name = "files", .start = part_start, .ready = part_ready, .stop = part_stop},
        .magic = DIRECTORY_MAGIC,
        .host = host,
    };
    if (files_make(directory, error))
        return &directory->part;
    part_stop(&directory->part);
    return NULL;
}
