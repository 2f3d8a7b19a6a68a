/* Any text as a network: what is understood shows as a text that is understood as the same, and
 * holds its own address. */
#include "core/core.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    core_network network;
    core_address again;
    char text[CORE_ADDRESS_TEXT_SIZE];
    if (!core_network_parse(core_slice_make(data, size), &network))
        return 0;
    core_address_text(&network.address, text);
    if (!core_address_parse(core_slice_text(text), &again) ||
        !core_address_equal(&again, &network.address) || !core_network_holds(&network, &again))
        abort();
    return 0;
}
