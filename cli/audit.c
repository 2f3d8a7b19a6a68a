/* See audit.h. */
#include "cli/audit.h"

#include <stdio.h>

void cli_audit(const core_config *config, fanout_connection *connection, const auth_act *act) {
    core_error error = {.text = ""};
    if (!auth_audit_act_wait(config, connection, act, &error))
        (void)fprintf(stderr, "warning: done, but not in the audit records: %s\n", error.text);
}
