/* The YAML configuration over any bytes: refused with lines or taken, without a crash, and what is
 * taken can be printed. */
#include "core/config_private.h"
#include "core/core.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char report[256 * 1024], printed[256 * 1024];
    FILE *lines = fmemopen(report, sizeof report, "w");
    FILE *values = fmemopen(printed, sizeof printed, "w");
    core_config_loader loader = {.config = core_config_new(), .report = lines};
    if (lines == NULL || values == NULL || loader.config == NULL)
        abort();
    core_config_yaml_apply(&loader, core_slice_make(data, size), "walcast.yaml");
    core_config_problems_end(&loader);
    if (loader.problems == 0)
        core_config_print(loader.config, values, size % 2 == 0);
    core_config_free(loader.config);
    (void)fclose(lines);
    (void)fclose(values);
    /* Each problem is one line, and no line carries what a terminal would obey. */
    size_t told = 0;
    for (const char *at = report; loader.problems > 0 && *at != '\0'; at++) {
        told += *at == '\n';
        if ((*at > 0 && *at < ' ' && *at != '\n') || *at == 0x7F)
            abort();
    }
    if (loader.problems > 0 && told != (loader.problems < 51 ? loader.problems : 51))
        abort();
    return 0;
}
