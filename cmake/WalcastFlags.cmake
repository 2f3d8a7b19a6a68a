# Compiler flags of all first-party code. Warnings are errors, with gcc and with clang.
# They hang on an interface library so that generated and third-party sources are free of them.
add_library(walcast_flags INTERFACE)
target_compile_definitions(walcast_flags INTERFACE _GNU_SOURCE)
target_compile_options(walcast_flags INTERFACE
  -Wall -Wextra -Werror -Wshadow -Wpointer-arith -Wcast-qual -Wstrict-prototypes
  -Wmissing-prototypes -Wundef -Wwrite-strings -Wvla -Wformat=2 $<$<C_COMPILER_ID:GNU>:-Wno-format-truncation> -Wno-format-nonliteral -Wimplicit-fallthrough
  -fno-strict-aliasing -fno-common -fstack-protector-strong)

if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
  # Assertions state invariants of the only copy: they stay on in what users run.
  string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELWITHDEBINFO "${CMAKE_C_FLAGS_RELWITHDEBINFO}")
  target_compile_definitions(walcast_flags INTERFACE _FORTIFY_SOURCE=2)
endif()

if(WALCAST_SANITIZE)
  add_compile_options(-fsanitize=${WALCAST_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${WALCAST_SANITIZE})
  add_compile_definitions(WALCAST_SANITIZED=1)
endif()
