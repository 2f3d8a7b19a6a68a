/* See wheel.h. A slot is looked at when its step comes; what is due later than that stays there for
 * the next round. */
#include "ws/wheel.h"

void ws_wheel_init(ws_wheel *wheel, int64_t now_ms) {
    for (size_t i = 0; i < WS_WHEEL_SLOTS; i++)
        wheel->slots[i] = (ws_wheel_entry){.next = &wheel->slots[i], .previous = &wheel->slots[i]};
    wheel->step = now_ms / WS_WHEEL_STEP_MS;
}

void ws_wheel_disarm(ws_wheel_entry *entry) {
    if (entry->next == NULL)
        return;
    entry->previous->next = entry->next;
    entry->next->previous = entry->previous;
    entry->next = entry->previous = NULL;
}

void ws_wheel_arm(ws_wheel *wheel, ws_wheel_entry *entry, int64_t deadline_ms) {
    ws_wheel_disarm(entry);
    entry->deadline_ms = deadline_ms;
    int64_t step = deadline_ms / WS_WHEEL_STEP_MS + 1;
    if (step <= wheel->step)
        step = wheel->step + 1;
    ws_wheel_entry *head = &wheel->slots[(uint64_t)step % WS_WHEEL_SLOTS];
    entry->next = head;
    entry->previous = head->previous;
    head->previous->next = entry;
    head->previous = entry;
}

static ws_wheel_entry *wheel_slot_expired(ws_wheel *wheel, int64_t step, int64_t now_ms) {
    ws_wheel_entry *head = &wheel->slots[(uint64_t)step % WS_WHEEL_SLOTS];
    for (ws_wheel_entry *entry = head->next; entry != head; entry = entry->next) {
        if (entry->deadline_ms > now_ms)
            continue;
        ws_wheel_disarm(entry);
        return entry;
    }
    return NULL;
}

ws_wheel_entry *ws_wheel_expired(ws_wheel *wheel, int64_t now_ms) {
    int64_t current = now_ms / WS_WHEEL_STEP_MS;
    if (current - wheel->step > WS_WHEEL_SLOTS)
        wheel->step = current - WS_WHEEL_SLOTS; /* a long sleep: each slot once is enough */
    while (wheel->step < current) {
        ws_wheel_entry *entry = wheel_slot_expired(wheel, wheel->step + 1, now_ms);
        if (entry != NULL)
            return entry;
        wheel->step++;
    }
    return NULL;
}
