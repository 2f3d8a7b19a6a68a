/* The triggers room's public header: rules, webhooks, jobs, schedules and workflows.
 *
 * It will offer one role (core/role.h) that reads the change stream through fanout's durable
 * consumers, evaluates conditions with expr and calls out through net. It meets the other upper
 * rooms only in core's event and in stream subjects. The role does not exist yet: `--roles
 * triggers` is refused. */
#ifndef WALCAST_TRIGGERS_TRIGGERS_H
#define WALCAST_TRIGGERS_TRIGGERS_H

#include "core/core.h"

#endif
