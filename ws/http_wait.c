/* See http_wait.h. */
#include "ws/http_wait.h"

#include <stdlib.h>

typedef struct {
    ws_connection *connection; /* NULL: free */
    ws_http_waiter waiter;
    uint32_t generation; /* never 0 */
    uint32_t next_free;  /* index + 1, 0: none */
} wait_slot;

struct ws_http_waits {
    wait_slot slots[WS_HTTP_WAITING_MAX];
    uint32_t count; /* slots used so far */
    uint32_t first_free;
};

static wait_slot *wait_take(ws_http_waits *waits) {
    if (waits->first_free != 0) {
        wait_slot *slot = &waits->slots[waits->first_free - 1];
        waits->first_free = slot->next_free;
        return slot;
    }
    if (waits->count == WS_HTTP_WAITING_MAX)
        return NULL;
    wait_slot *slot = &waits->slots[waits->count++];
    *slot = (wait_slot){.generation = 1};
    return slot;
}

ws_http_handle ws_http_wait_enter(ws_service *service, ws_connection *connection,
                                  const ws_http_waiter *waiter) {
    if (service->waits == NULL)
        service->waits = calloc(1, sizeof *service->waits);
    wait_slot *slot = service->waits != NULL ? wait_take(service->waits) : NULL;
    if (slot == NULL)
        return 0;
    slot->connection = connection;
    slot->waiter = *waiter;
    atomic_fetch_add_explicit(&service->waiting, 1, memory_order_relaxed);
    return (uint64_t)slot->generation << 32 | (uint32_t)(slot - service->waits->slots);
}

static wait_slot *wait_slot_of(const ws_service *service, ws_http_handle handle) {
    uint32_t index = (uint32_t)handle;
    if (service->waits == NULL || index >= service->waits->count)
        return NULL;
    wait_slot *slot = &service->waits->slots[index];
    return slot->generation == handle >> 32 && slot->connection != NULL ? slot : NULL;
}

ws_connection *ws_http_wait_find(const ws_service *service, ws_http_handle handle) {
    const wait_slot *slot = wait_slot_of(service, handle);
    return slot != NULL ? slot->connection : NULL;
}

const ws_http_waiter *ws_http_wait_waiter(const ws_service *service, ws_http_handle handle) {
    const wait_slot *slot = wait_slot_of(service, handle);
    assert(slot != NULL);
    return &slot->waiter;
}

void ws_http_wait_leave(ws_service *service, ws_http_handle handle, bool gone) {
    wait_slot *slot = wait_slot_of(service, handle);
    assert(slot != NULL);
    const ws_http_waiter waiter = slot->waiter;
    slot->connection = NULL;
    if (++slot->generation == 0)
        slot->generation = 1;
    slot->next_free = service->waits->first_free;
    service->waits->first_free = (uint32_t)handle + 1;
    atomic_fetch_sub_explicit(&service->waiting, 1, memory_order_relaxed);
    if (gone && waiter.gone != NULL)
        waiter.gone(waiter.context);
}

void ws_http_waits_free(ws_service *service) {
    assert(atomic_load(&service->waiting) == 0);
    free(service->waits);
    service->waits = NULL;
}
