/* Frees messages in heaps; see spent.h. */
#include "fanout/spent.h"

void fanout_spent_free_all(fanout_spent *spent) {
    for (size_t i = 0; i < spent->count; i++)
        natsMsg_Destroy(spent->messages[i]);
    spent->count = 0;
    spent->bytes = 0;
}

void fanout_spent_add(fanout_spent *spent, natsMsg *message) {
    if (message == NULL)
        return;
    spent->messages[spent->count++] = message;
    spent->bytes += (size_t)natsMsg_GetDataLength(message);
    if (spent->count == FANOUT_SPENT_MESSAGES || spent->bytes > FANOUT_SPENT_BYTES)
        fanout_spent_free_all(spent);
}
