/* The files of `triggers.dir`: loaded at the start, and again when they change. */
#ifndef WALCAST_TRIGGERS_DIRECTORY_H
#define WALCAST_TRIGGERS_DIRECTORY_H

#include "triggers/host.h"

/* The part. */
CORE_MUST_CHECK triggers_part *triggers_directory_part(triggers_host *host, core_error *error);

#endif
