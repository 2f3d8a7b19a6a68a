/* A JSON number as whole millionths, exactly: no double in between.
 *
 * Private to auth: NumericDate may have a fraction and an exponent. */
#ifndef WALCAST_AUTH_DECIMAL_H
#define WALCAST_AUTH_DECIMAL_H

#include "core/core.h"

/* Rounded towards minus infinity; what does not fit is held at INT64_MIN or INT64_MAX. False when
 * the text is no JSON number. */
CORE_MUST_CHECK bool auth_decimal_to_micro(core_slice text, int64_t *micro);

#endif
