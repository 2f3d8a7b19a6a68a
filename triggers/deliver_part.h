/* The parts that match changes and make deliveries; see host.h. */
#ifndef WALCAST_TRIGGERS_DELIVER_PART_H
#define WALCAST_TRIGGERS_DELIVER_PART_H

#include "triggers/host.h"

CORE_MUST_CHECK triggers_part *triggers_deliver_part(triggers_host *host, core_error *error);
CORE_MUST_CHECK triggers_part *triggers_matcher_part(triggers_host *host, core_error *error);

#endif
