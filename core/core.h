/* The core room's public header: values, memory, time, configuration, log, metrics, JSON and the
 * event model. Knows nothing of databases, brokers or sockets. */
#ifndef WALCAST_CORE_CORE_H
#define WALCAST_CORE_CORE_H

#include "core/arena.h"
#include "core/backoff.h"
#include "core/base.h"
#include "core/base64.h"
#include "core/block.h"
#include "core/buffer.h"
#include "core/clock.h"
#include "core/config.h"
#include "core/cursor.h"
#include "core/distance.h"
#include "core/error.h"
#include "core/event.h"
#include "core/event_assembly.h"
#include "core/event_json.h"
#include "core/identifier.h"
#include "core/json.h"
#include "core/log.h"
#include "core/lsn.h"
#include "core/metrics.h"
#include "core/offset.h"
#include "core/realtime_message.h"
#include "core/ring.h"
#include "core/role.h"
#include "core/route.h"
#include "core/slice.h"
#include "core/snapshot.h"
#include "core/state.h"
#include "core/subject.h"
#include "core/value.h"
#include "core/visibility.h"
#include "core/wait.h"
#include "core/xid_set.h"

#endif
