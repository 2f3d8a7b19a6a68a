/* See hub_lane.h. What is done with lanes is hub_resume.c's. */
#include "ws/hub_lane.h"

#include "ws/limits.h"

#include <stdlib.h>

static const core_state_row lane_states[] = {
    [HUB_LANE_FREE] = {"free", CORE_STATE_BIT(HUB_LANE_OPENING) | CORE_STATE_BIT(HUB_LANE_RUNNING)},
    [HUB_LANE_OPENING] = {"opening",
                          CORE_STATE_BIT(HUB_LANE_RUNNING) | CORE_STATE_BIT(HUB_LANE_CLEARING)},
    [HUB_LANE_RUNNING] = {"running", CORE_STATE_BIT(HUB_LANE_CLEARING)},
    [HUB_LANE_CLEARING] = {"clearing", CORE_STATE_BIT(HUB_LANE_FREE)},
};

void hub_lane_init(hub_lane *lane, hub_ids *ids, size_t threads, const core_tenants *tenants) {
    *lane = (hub_lane){.position = 0};
    core_state_init(&lane->state, "lane", lane_states, CORE_COUNT_OF(lane_states), HUB_LANE_FREE);
    hub_classes_init(&lane->classes, ids, threads, tenants);
}

bool hub_lane_add(hub_lane *lane, const hub_passenger *passenger) {
    if (lane->count == lane->capacity) {
        size_t capacity = lane->capacity ? lane->capacity * 2 : 16;
        hub_passenger *grown = capacity <= WS_RESUMES_WAITING
                                   ? realloc(lane->passengers, capacity * sizeof *grown)
                                   : NULL;
        if (grown == NULL) {
            ws_subscription_free(passenger->subscription);
            return false;
        }
        lane->passengers = grown;
        lane->capacity = capacity;
    }
    lane->passengers[lane->count++] = *passenger;
    return true;
}

void hub_lane_empty(hub_lane *lane) {
    for (size_t i = 0; i < lane->count; i++)
        ws_subscription_free(lane->passengers[i].subscription);
    free(lane->passengers);
    lane->passengers = NULL;
    lane->count = lane->capacity = 0;
}

void hub_lane_fini(hub_lane *lane) {
    if (lane->holds)
        core_block_release(lane->message.payload);
    hub_lane_empty(lane);
    hub_classes_fini(&lane->classes);
}
