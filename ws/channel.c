/* See channel.h. */
#include "ws/channel.h"

#include <stdlib.h>

#define CHANNEL_MAGIC 0xc4a77e10u

ws_channel *ws_channel_new(const ws_channel_spec *spec) {
    const ws_join *join = spec->join;
    size_t texts = spec->topic.length + spec->join_ref.length + spec->ref.length +
                   join->postgres_changes.length;
    ws_channel *channel = calloc(1, sizeof *channel + texts);
    core_block *response = core_block_copy(spec->response);
    if (channel == NULL || response == NULL) {
        free(channel);
        core_block_release(response);
        return NULL;
    }
    ws_member_init(&channel->member, spec->owner, &join->since);
    channel->magic = CHANNEL_MAGIC;
    channel->session = spec->session;
    channel->identity = ws_identity_retain(spec->identity);
    channel->expiry = ws_expiry_make(spec->identity->claims.expires_s);
    channel->response = response;
    uint8_t *room = (uint8_t *)(channel + 1);
    channel->topic = core_slice_keep(&room, spec->topic);
    channel->join_ref = core_slice_keep(&room, spec->join_ref);
    channel->ref = core_slice_keep(&room, spec->ref);
    channel->postgres_changes = core_slice_keep(&room, join->postgres_changes);
    channel->replication_ready = join->replication_ready;
    channel->broadcast_self = join->broadcast_self;
    channel->broadcast_ack = join->broadcast_ack;
    channel->private_channel = join->private_channel;
    channel->conflate = join->conflate;
    channel->presence_enabled = join->presence_enabled;
    return channel;
}

ws_channel *ws_channel_of(ws_member *member) {
    ws_channel *channel = (ws_channel *)(void *)member;
    CORE_MAGIC_CHECK(channel, CHANNEL_MAGIC);
    return channel;
}

void ws_channel_free(ws_channel *channel) {
    CORE_MAGIC_CHECK(channel, CHANNEL_MAGIC);
    assert(channel->member.state.current == WS_MEMBER_CLOSED);
    ws_identity_release(channel->identity);
    core_block_release(channel->waiting);
    core_block_release(channel->response);
    free(channel->presence_key);
    channel->magic = 0;
    free(channel);
}
