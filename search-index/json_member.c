/* See json_member.h. */
#include "search-index/json_member.h"

/* Where the value stands in the text, or where a new member would: before the closing bracket. */
static bool member_find(core_slice object, core_slice name, size_t *from, size_t *to, bool *any) {
    core_json_reader reader = core_json_reader_make(object);
    core_json_token member;
    core_slice whole;
    *any = false;
    *from = 0;
    if (core_json_next(&reader).kind != CORE_JSON_OBJECT_OPEN)
        return false;
    while (core_json_member_next(&reader, &member)) {
        if (!core_json_skip(&reader, member, &whole))
            return false;
        *any = true;
        if (core_slice_equal(member.key, name)) {
            *from = (size_t)(whole.data - object.data);
            *to = *from + whole.length;
            return true;
        }
    }
    return core_json_next(&reader).kind == CORE_JSON_END;
}

/* The bytes from `from` to `to` are `value` then. */
static bool bytes_replace(core_buffer *object, size_t from, size_t to, core_slice value) {
    size_t behind = object->length - to;
    if (value.length > to - from && core_buffer_reserve(object, value.length - (to - from)) == NULL)
        return false;
    memmove(object->data + from + value.length, object->data + to, behind);
    if (value.length > 0)
        memcpy(object->data + from, value.data, value.length);
    object->length = from + value.length + behind;
    return true;
}

bool search_json_member_set(core_buffer *object, core_slice name, core_slice value) {
    size_t from, to = 0;
    bool any;
    if (!core_buffer_ok(object) || !member_find(core_buffer_slice(object), name, &from, &to, &any))
        return false;
    if (from > 0)
        return bytes_replace(object, from, to, value);
    while (object->length > 0 && object->data[object->length - 1] != '}')
        object->length--;
    object->length--;
    core_buffer_text(object, any ? "," : "");
    core_json_writer json = core_json_writer_make(object);
    core_json_key(&json, name);
    core_buffer_slice_append(object, value);
    core_buffer_u8(object, '}');
    return core_buffer_ok(object);
}
