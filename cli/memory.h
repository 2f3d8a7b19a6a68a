/* The most memory that a configuration's limits allow: the sum of its maxima. Private to cli. */
#ifndef WALCAST_CLI_MEMORY_H
#define WALCAST_CLI_MEMORY_H

#include "core/core.h"

void cli_memory_print(const core_config *config, FILE *out);
/* {"total_bytes": n, "parts": [{"part": "...", "bytes": n}, ...]} */
void cli_memory_json(const core_config *config, core_json_writer *writer);

#endif
