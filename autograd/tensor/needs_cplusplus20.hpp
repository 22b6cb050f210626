#pragma once

// What the headers that users include begin with. After an #error compilers go on, through all that follows; a file
// that is not there ends them with this one line.
#if __cplusplus < 202002L
#include "xgrad needs C++20: compile with -std=c++20 or later"
#endif
