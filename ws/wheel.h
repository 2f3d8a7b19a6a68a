/* Deadlines of many connections for the price of one timer: a wheel of lists.
 *
 * Arming and disarming cost nothing but pointers. A deadline fires up to one step late and never
 * early; one beyond the wheel's reach travels round it. Owned by one service thread. */
#ifndef WALCAST_WS_WHEEL_H
#define WALCAST_WS_WHEEL_H

#include "core/core.h"

#define WS_WHEEL_STEP_MS 250
#define WS_WHEEL_SLOTS   256

typedef struct ws_wheel_entry ws_wheel_entry;
struct ws_wheel_entry {
    ws_wheel_entry *next, *previous; /* NULL: not armed */
    int64_t deadline_ms;
};

typedef struct {
    ws_wheel_entry slots[WS_WHEEL_SLOTS]; /* heads of rings */
    int64_t step;                         /* the last step that was served */
} ws_wheel;

/* Times are of the monotonic clock. */
void ws_wheel_init(ws_wheel *wheel, int64_t now_ms);
/* Arms, or moves what is armed. */
void ws_wheel_arm(ws_wheel *wheel, ws_wheel_entry *entry, int64_t deadline_ms);
void ws_wheel_disarm(ws_wheel_entry *entry);
/* Takes one entry whose deadline has passed out of the wheel; NULL when none is left. */
ws_wheel_entry *ws_wheel_expired(ws_wheel *wheel, int64_t now_ms);

#endif
