/* A trigger's spread: which of the sixteen partitions do its work, and how much of its endpoint's
 * rate and places each of them has. Processes share partitions, so what a process may ask of an
 * endpoint follows from those that it holds, and the numbers that the author wrote hold over all of
 * them, with nobody asked.
 *
 * Places are whole: a trigger with fewer than there are partitions keeps to as many partitions as
 * it has places, so each has one at least. How many is decided when it is made and stays, since
 * keys stand in order only within their partition; where `concurrency` was made less than that
 * later, a process whose partitions have no place takes one all the same. Pure. */
#ifndef WALCAST_TRIGGERS_SPREAD_H
#define WALCAST_TRIGGERS_SPREAD_H

#include "net/net.h"
#include "triggers/task.h"

/* Bits of partitions. */
#define TRIGGERS_PARTITIONS_ALL ((UINT32_C(1) << TRIGGERS_PARTITIONS) - 1)

typedef struct {
    uint8_t first; /* partition; the others follow it, round the end */
    uint8_t count; /* from 1 */
} triggers_spread;

/* How many partitions a new one should keep to; 0: all. */
uint32_t triggers_spread_width(const triggers_definition *definition);
triggers_spread triggers_spread_of(const triggers_definition *definition);
/* A key's hash (task.h) as it is within the spread: another one where its partition would not be
 * of it, always the same, and itself again of what is already. 0 stays 0. */
uint64_t triggers_spread_hash(const triggers_spread *spread, uint64_t key_hash);
/* The hash of a whole key of the trigger, within its spread. */
uint64_t triggers_spread_key(const triggers_definition *definition, core_slice key);
/* How many of the partitions that do the trigger's work are among these. */
uint32_t triggers_spread_held(const triggers_definition *definition, uint32_t held);
/* What of the whole endpoint a process has that holds these partitions. */
net_throttle_spec triggers_spread_share(const triggers_spread *spread,
                                        const net_throttle_spec *whole, uint32_t held);

#endif
