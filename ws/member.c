/* See member.h. */
#include "ws/member.h"

#include <stdio.h>
#include <stdlib.h>

#define GROUPS_FIRST 64

static const core_state_row member_states[] = {
    [WS_MEMBER_JOINING] = {"joining",
                           CORE_STATE_BIT(WS_MEMBER_JOINED) | CORE_STATE_BIT(WS_MEMBER_CLOSED)},
    [WS_MEMBER_JOINED] = {"joined", CORE_STATE_BIT(WS_MEMBER_CLOSED)},
    [WS_MEMBER_CLOSED] = {"closed", 0},
};

void ws_member_init(ws_member *member, const ws_member_owner *owner, const core_offset *since) {
    *member = (ws_member){.owner = owner};
    if (since != NULL)
        member->after = *since;
    core_state_init(&member->state, "member", member_states, CORE_COUNT_OF(member_states),
                    WS_MEMBER_JOINING);
    for (size_t kind = 0; kind < WS_GROUP_KINDS; kind++)
        member->places[kind].group = WS_GROUP_NONE;
}

core_offset ws_member_since(const ws_member *member) {
    core_offset since = {.epoch = ""};
    if (!member->live || member->lags)
        since = member->after;
    /* The stream was empty when it came. */
    if (member->live && member->lags && since.epoch[0] == '\0')
        (void)snprintf(since.epoch, sizeof since.epoch, "%s", CORE_OFFSET_BEGINNING_EPOCH);
    return since;
}

void ws_groups_fini(ws_groups *groups) {
    free(groups->first);
}

static void groups_grow(ws_groups *groups, uint32_t group) {
    uint32_t capacity = groups->capacity ? groups->capacity : GROUPS_FIRST;
    while (capacity <= group)
        capacity *= 2;
    ws_member **first = realloc(groups->first, capacity * sizeof(ws_member *));
    if (first == NULL)
        abort();
    memset(first + groups->capacity, 0, (capacity - groups->capacity) * sizeof(ws_member *));
    groups->first = first;
    groups->capacity = capacity;
}

void ws_groups_enter(ws_groups *groups, ws_member *member, uint32_t group) {
    ws_member_place *place = &member->places[groups->kind];
    assert(place->group == WS_GROUP_NONE);
    if (group == WS_GROUP_NONE)
        return;
    if (group >= groups->capacity)
        groups_grow(groups, group);
    place->group = group;
    place->previous = NULL;
    place->next = groups->first[group];
    if (place->next != NULL)
        place->next->places[groups->kind].previous = member;
    groups->first[group] = member;
}

uint32_t ws_groups_leave(ws_groups *groups, ws_member *member) {
    ws_member_place *place = &member->places[groups->kind];
    uint32_t group = place->group;
    if (group == WS_GROUP_NONE)
        return group;
    if (place->previous != NULL)
        place->previous->places[groups->kind].next = place->next;
    else
        groups->first[group] = place->next;
    if (place->next != NULL)
        place->next->places[groups->kind].previous = place->previous;
    *place = (ws_member_place){.group = WS_GROUP_NONE};
    return group;
}

ws_member *ws_groups_first(const ws_groups *groups, uint32_t group) {
    return group < groups->capacity ? groups->first[group] : NULL;
}
