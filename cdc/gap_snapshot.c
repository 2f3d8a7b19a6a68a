/* See gap_snapshot.h. */
#include "cdc/gap_snapshot.h"

#include <string.h>

static bool not_built(core_error *error) {
    return core_error_set(error, CORE_ERROR_CONFIG,
                          "cdc.on_gap is \"snapshot\", but snapshots are not built yet; use "
                          "\"continue\" or \"fail\"");
}

bool cdc_gap_snapshot_check(const core_config *config, core_error *error) {
    return strcmp(core_config_text(config, "cdc.on_gap"), "snapshot") != 0 || not_built(error);
}

bool cdc_gap_snapshot_request(cdc_source *source, uint64_t gap_sequence, core_error *error) {
    (void)source;
    (void)gap_sequence;
    return not_built(error);
}
