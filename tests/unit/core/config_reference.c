/* Writes the configuration's reference page to the file named: how docs/CONFIG.md is made. */
#include "core/core.h"

int main(int argc, char **argv) {
    FILE *out = argc == 2 ? fopen(argv[1], "we") : NULL;
    if (out == NULL) {
        (void)fprintf(stderr, "usage: config_reference FILE\n");
        return 2;
    }
    core_config_reference(out);
    return fclose(out) == 0 ? 0 : 1;
}
