/* Members that are suspended: they hear nothing and keep their place; see session_table.h.
 *
 * The place must be exact, or they would miss a change or hear one twice. Of the live stream it is
 * the last change that this thread has heard of, whomever it was for. What still comes of that very
 * change (its class's frames may be behind others') is sent, which needs no mark on each member for
 * each change; the first frame behind it shows that all has come, and the member leaves its class.
 * Of history it is the member's own place, and a change that was sent in part is sent whole.
 *
 * The hub's answer to the join that ends it comes behind all that, in the same ring. */
#include "ws/session_table_private.h"

#include <stdio.h>

static ws_place member_place(const ws_member *member) {
    return (ws_place){member->after.sequence, member->after.index};
}

static void member_set_place(ws_member *member, ws_place place) {
    member->after.sequence = place.sequence;
    member->after.index = place.index;
}

static void suspended_leave_class(ws_session_table *table, ws_member *member) {
    ws_command leave = {.kind = WS_COMMAND_LEAVE,
                        .class_id = ws_groups_leave(&table->classes, member),
                        .room_id = WS_GROUP_NONE,
                        .presence_id = WS_GROUP_NONE};
    ws_table_send_leave(table, &leave);
}

/* What a live member has all up to. Another epoch would have reset it, so what the thread knows of
 * the stream is of its own. */
static void suspend_live(const ws_session_table *table, ws_member *member) {
    const core_offset *position = &table->position;
    ws_place told = {position->sequence, position->index};
    if (ws_place_behind(told, member_place(member)))
        member_set_place(member, told);
    member->ending = ws_place_behind(table->framed, member_place(member));
    if (member->ending)
        member_set_place(member, table->framed);
    if (member->after.epoch[0] == '\0') {
        const char *epoch =
            position->epoch[0] != '\0' ? position->epoch : CORE_OFFSET_BEGINNING_EPOCH;
        (void)snprintf(member->after.epoch, sizeof member->after.epoch, "%s", epoch);
    }
    member->live = false;
}

bool ws_session_table_suspend(ws_service *service, ws_member *member, bool follows) {
    ws_session_table *table = ws_table_of(service, member->source);
    if (!ws_member_joined(member) || (member->loading && member->after.epoch[0] == '\0'))
        return false;
    member->attempt++; /* what it was asked for is not for it any more */
    if (member->suspended)
        return true;
    member->suspended = true;
    member->stalled = false;
    ws_command leave = {.kind = WS_COMMAND_LEAVE,
                        .class_id = WS_GROUP_NONE,
                        .room_id = ws_groups_leave(&table->rooms, member),
                        .presence_id = ws_groups_leave(&table->presences, member)};
    ws_table_send_leave(table, &leave);
    if (follows && member->live && !member->lags)
        suspend_live(table, member);
    else if (!follows || !member->midway)
        suspended_leave_class(table, member);
    return true;
}

bool ws_suspended_takes(ws_session_table *table, ws_member *member, const ws_delivery *delivery) {
    if (delivery->place.sequence == 0)
        return false; /* no change's; whoever goes on is told anew */
    if (ws_place_behind(delivery->place, member_place(member))) {
        member->ending = false;
        suspended_leave_class(table, member);
        return false;
    }
    bool same = !ws_place_behind(member_place(member), delivery->place);
    return same && member->ending &&
           (member->gate == NULL || !ws_member_was_shown(member, delivery));
}

void ws_suspended_has(ws_session_table *table, ws_member *member) {
    member->ending = false;
    suspended_leave_class(table, member);
}
