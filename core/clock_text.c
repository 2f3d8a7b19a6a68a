/* Moments as people write them; see clock.h. */
#include "core/clock.h"
#include "core/slice.h"

#include <time.h>

/* ".5" behind the seconds, to microseconds; digits beyond are dropped. */
static const char *fraction_parse(const char *text, int64_t *us) {
    int64_t place = CORE_US_PER_S / 10;
    *us = 0;
    if (*text != '.')
        return text;
    for (text++; *text >= '0' && *text <= '9'; text++, place /= 10)
        *us += (*text - '0') * place;
    return text;
}

/* "Z", "+02:00" or nothing (UTC): seconds east. */
static bool zone_parse(const char *text, int64_t *east_s) {
    struct tm offset = {.tm_hour = 0};
    *east_s = 0;
    if (*text == '\0' || strcmp(text, "Z") == 0 || strcmp(text, "z") == 0)
        return true;
    if (*text != '+' && *text != '-')
        return false;
    const char *end = strptime(text + 1, "%H:%M", &offset);
    *east_s = (offset.tm_hour * 60 + offset.tm_min) * INT64_C(60) * (*text == '-' ? -1 : 1);
    return end != NULL && *end == '\0';
}

bool core_clock_parse(const char *text, int64_t *time_us) {
    struct tm day = {.tm_year = 0};
    int64_t fraction_us = 0;
    int64_t east_s = 0;
    uint64_t seconds = 0;
    if (core_slice_to_u64(core_slice_text(text), &seconds)) {
        bool fits = seconds < INT64_MAX / CORE_US_PER_S;
        *time_us = fits ? (int64_t)seconds * CORE_US_PER_S : 0;
        return fits;
    }
    const char *rest = strptime(text, "%Y-%m-%d", &day);
    if (rest != NULL && (*rest == 'T' || *rest == 't' || *rest == ' '))
        rest = strptime(rest + 1, "%H:%M:%S", &day);
    if (rest == NULL || !zone_parse(fraction_parse(rest, &fraction_us), &east_s))
        return false;
    *time_us = ((int64_t)timegm(&day) - east_s) * CORE_US_PER_S + fraction_us;
    return true;
}
