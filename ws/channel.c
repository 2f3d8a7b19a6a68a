/* See channel.h. */
#include "ws/channel.h"

#include <stdlib.h>

#define CHANNEL_MAGIC 0xc4a77e10u

static const core_state_row channel_states[] = {
    [WS_CHANNEL_JOINING] = {"joining",
                            CORE_STATE_BIT(WS_CHANNEL_JOINED) | CORE_STATE_BIT(WS_CHANNEL_CLOSED)},
    [WS_CHANNEL_JOINED] = {"joined", CORE_STATE_BIT(WS_CHANNEL_CLOSED)},
    [WS_CHANNEL_CLOSED] = {"closed", 0},
};

static core_slice channel_keep(uint8_t **room, core_slice text) {
    core_slice kept = core_slice_make(*room, text.length);
    if (text.length > 0)
        memcpy(*room, text.data, text.length);
    *room += text.length;
    return kept;
}

ws_channel *ws_channel_new(const ws_channel_spec *spec) {
    size_t texts = spec->topic.length + spec->join_ref.length + spec->ref.length +
                   spec->postgres_changes.length;
    ws_channel *channel = calloc(1, sizeof *channel + texts);
    core_block *response = core_block_copy(spec->response);
    if (channel == NULL || response == NULL) {
        free(channel);
        core_block_release(response);
        return NULL;
    }
    channel->magic = CHANNEL_MAGIC;
    core_state_init(&channel->state, "channel", channel_states, CORE_COUNT_OF(channel_states),
                    WS_CHANNEL_JOINING);
    channel->session = spec->session;
    channel->identity = ws_identity_retain(spec->identity);
    channel->response = response;
    uint8_t *room = (uint8_t *)(channel + 1);
    channel->topic = channel_keep(&room, spec->topic);
    channel->join_ref = channel_keep(&room, spec->join_ref);
    channel->ref = channel_keep(&room, spec->ref);
    channel->postgres_changes = channel_keep(&room, spec->postgres_changes);
    return channel;
}

void ws_channel_free(ws_channel *channel) {
    CORE_MAGIC_CHECK(channel, CHANNEL_MAGIC);
    assert(channel->state.current == WS_CHANNEL_CLOSED);
    ws_identity_release(channel->identity);
    core_block_release(channel->response);
    channel->magic = 0;
    free(channel);
}
