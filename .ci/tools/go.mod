module belfry/tools

go 1.26
