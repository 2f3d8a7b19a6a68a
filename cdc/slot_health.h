/* How the slot stands on the server, as pg_replication_slots tells it, and whether somebody should
 * look at it. */
#ifndef WALCAST_CDC_SLOT_HEALTH_H
#define WALCAST_CDC_SLOT_HEALTH_H

#include "pg/pg.h"

/* pg_replication_slots.wal_status; the numbers are the metric's. */
typedef enum {
    CDC_WAL_STATUS_UNKNOWN = 0,
    CDC_WAL_STATUS_RESERVED = 1,
    CDC_WAL_STATUS_EXTENDED = 2,   /* more than max_wal_size is held for slots */
    CDC_WAL_STATUS_UNRESERVED = 3, /* beyond max_slot_wal_keep_size: goes at the next checkpoint */
    CDC_WAL_STATUS_LOST = 4,
} cdc_wal_status;

typedef struct {
    bool exists; /* false: nothing below counts but written_lsn */
    bool active; /* a walsender streams it */
    core_lsn written_lsn;
    core_lsn restart_lsn;
    core_lsn confirmed_lsn;
    cdc_wal_status wal_status;
    int64_t safe_wal_bytes; /* may still be written before the slot is in danger; -1: no limit */
    int64_t keep_bytes;     /* max_slot_wal_keep_size; -1: no limit */
} cdc_slot_health;

typedef struct {
    int64_t lag_bytes;      /* warn above it; 0: never */
    int64_t safe_wal_bytes; /* warn below it, or below half of keep_bytes if that is less; 0: never
                             */
} cdc_slot_limits;

/* One statement. TRANSIENT on a server in recovery. */
CORE_MUST_CHECK bool cdc_slot_health_ask(pg_connection *connection, const char *slot,
                                         cdc_slot_health *health, core_error *error);
/* Writes a heartbeat (a logical message under a prefix of Walcast's own); `*lsn` is its end. */
CORE_MUST_CHECK bool cdc_slot_heartbeat(pg_connection *connection, core_lsn *lsn,
                                        core_error *error);

/* The slot's WAL that is written and not confirmed. */
int64_t cdc_slot_lag_bytes(const cdc_slot_health *health);
/* Whether to warn; `reason` gets one line. A warning that is given (`warned`) ends only a quarter
 * inside its limit, so that it does not flicker. */
CORE_MUST_CHECK bool cdc_slot_health_warns(const cdc_slot_health *health,
                                           const cdc_slot_limits *limits, bool warned, char *reason,
                                           size_t reason_size);

#endif
