/* Attempts as runs of workflows: a record that a run is asked for, stored once for each run's id.
 */
#ifndef WALCAST_TRIGGERS_SENDER_WORKFLOW_H
#define WALCAST_TRIGGERS_SENDER_WORKFLOW_H

#include "triggers/sender.h"

/* A triggers_sender_maker. */
CORE_MUST_CHECK bool triggers_workflow_sender(const triggers_sender_spec *spec,
                                              triggers_sender *sender, core_error *error);

#endif
