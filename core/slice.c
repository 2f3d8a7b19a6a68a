/* Conversions of byte views; see slice.h. */
#include "core/slice.h"

bool core_slice_to_text(core_slice slice, char *target, size_t target_size) {
    assert(target_size > 0);
    target[0] = '\0';
    if (slice.length >= target_size)
        return false;
    if (slice.length > 0 && memchr(slice.data, '\0', slice.length) != NULL)
        return false;
    if (slice.length > 0)
        memcpy(target, slice.data, slice.length);
    target[slice.length] = '\0';
    return true;
}

bool core_slice_to_u64(core_slice slice, uint64_t *value) {
    if (slice.length == 0)
        return false;
    uint64_t sum = 0;
    for (size_t i = 0; i < slice.length; i++) {
        if (slice.data[i] < '0' || slice.data[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(slice.data[i] - '0');
        if (sum > (UINT64_MAX - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return true;
}

bool core_slice_to_i64(core_slice slice, int64_t *value) {
    bool negative = slice.length > 0 && slice.data[0] == '-';
    core_slice digits = negative ? core_slice_make(slice.data + 1, slice.length - 1) : slice;
    uint64_t magnitude;
    if (!core_slice_to_u64(digits, &magnitude))
        return false;
    if (magnitude > (uint64_t)INT64_MAX + negative)
        return false;
    *value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

uint64_t core_slice_hash(core_slice slice) {
    return core_slice_hash_more(UINT64_C(14695981039346656037), slice);
}

uint64_t core_slice_hash_more(uint64_t hash, core_slice slice) {
    for (size_t i = 0; i < slice.length; i++)
        hash = (hash ^ slice.data[i]) * UINT64_C(1099511628211);
    return hash;
}
