module goassist.dev/gotypes

go 1.23
