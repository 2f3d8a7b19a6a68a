/* The cdc room's public header: one replication slot's WAL into the change stream, exactly once. */
#ifndef WALCAST_CDC_CDC_H
#define WALCAST_CDC_CDC_H

#include "core/core.h"

/* The role `cdc`: one thread that owns the slot and the stream's publisher. `config`, `log`,
 * `metrics` and `clock` must outlive it. */
CORE_MUST_CHECK core_role *cdc_role_new(const core_config *config, core_log *log,
                                        core_metrics *metrics, const core_clock *clock,
                                        core_error *error);

/* For `walcast check`: asks the database whether the role could work (reachable, wal_level,
 * replication privilege, publication, slot) and prints a line a finding. True when nothing is
 * wrong. Blocks up to the connection's time limit. Changes nothing. */
CORE_MUST_CHECK bool cdc_check(const core_config *config, FILE *report);

#endif
