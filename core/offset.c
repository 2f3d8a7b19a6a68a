/* An offset's text form; see offset.h. One offset has one text: numbers have no leading zeros. */
#include "core/offset.h"

#include <stdio.h>

void core_offset_format(const core_offset *offset, char text[CORE_OFFSET_TEXT_SIZE]) {
    (void)snprintf(text, CORE_OFFSET_TEXT_SIZE, "%s-%llu.%u", offset->epoch,
                   (unsigned long long)offset->sequence, (unsigned)offset->index);
}

static bool offset_number(core_slice digits, uint64_t max, uint64_t *value) {
    if (digits.length > 1 && digits.data[0] == '0')
        return false;
    return core_slice_to_u64(digits, value) && *value <= max;
}

/* Splits at the first `separator`. */
static bool offset_split(core_slice text, char separator, core_slice *head, core_slice *tail) {
    const uint8_t *at = text.length > 0 ? memchr(text.data, separator, text.length) : NULL;
    if (at == NULL)
        return false;
    *head = core_slice_make(text.data, (size_t)(at - text.data));
    *tail = core_slice_make(at + 1, text.length - head->length - 1);
    return true;
}

static bool offset_epoch(core_slice text, char epoch[CORE_EPOCH_TEXT_SIZE]) {
    for (size_t i = 0; i < text.length; i++) {
        uint8_t byte = text.data[i];
        if (!((byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z')))
            return false;
    }
    return text.length > 0 && core_slice_to_text(text, epoch, CORE_EPOCH_TEXT_SIZE);
}

bool core_offset_parse(core_slice text, core_offset *offset) {
    core_slice epoch, numbers, sequence, index;
    core_offset parsed;
    uint64_t row;
    if (!offset_split(text, '-', &epoch, &numbers) ||
        !offset_split(numbers, '.', &sequence, &index) || !offset_epoch(epoch, parsed.epoch) ||
        !offset_number(sequence, UINT64_MAX, &parsed.sequence) ||
        !offset_number(index, UINT32_MAX, &row))
        return false;
    parsed.index = (uint32_t)row;
    *offset = parsed;
    return true;
}
