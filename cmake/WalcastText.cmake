# Turns a text file into a C string: cmake -DOUT=x.c -DFILE=a.sql -DHEADER=cli/setup.h -DNAME=text
# -P WalcastText.cmake
file(READ ${FILE} hex HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n" bytes "${bytes}")
file(WRITE ${OUT} "/* Made from ${NAME} by cmake/WalcastText.cmake. */
#include \"${HEADER}\"

const char ${NAME}[] = {
${bytes}
0x00};
")
