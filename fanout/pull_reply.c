/* Reads the status of a pull request; see pull_reply.h. */
#include "fanout/pull_reply.h"

#include <string.h>

bool fanout_pull_reply_read(natsMsg *message, fanout_pull_reply *reply) {
    const char *status = NULL, *description = NULL;
    *reply = (fanout_pull_reply){.description = ""};
    if (natsMsgHeader_Get(message, "Status", &status) != NATS_OK ||
        !core_slice_to_u64(core_slice_text(status), &reply->status))
        return false;
    if (natsMsgHeader_Get(message, "Description", &description) == NATS_OK && description != NULL)
        reply->description = description;
    const char *dot = strrchr(natsMsg_GetSubject(message), '.');
    if (dot == NULL || !core_slice_to_u64(core_slice_text(dot + 1), &reply->request))
        reply->request = 0;
    return true;
}

bool fanout_pull_reply_ends_request(const fanout_pull_reply *reply) {
    if (reply->status == FANOUT_PULL_CONFLICT)
        return strcmp(reply->description, "Message Size Exceeds MaxBytes") == 0 ||
               strcmp(reply->description, "Batch Completed") == 0;
    return reply->status == FANOUT_PULL_NO_MESSAGES || reply->status == FANOUT_PULL_EXPIRED;
}
