package handlers

import (
	"strconv"

	"belfry/models"
)

// items is a list. next is null at its end.
type items[T any] struct {
	Items []T     `json:"items"`
	Next  *string `json:"next_before" doc:"Where the next page begins; null at the end"`
}

// itemsOf shows rows as a list, which has no next page.
func itemsOf[R, T any](rows []R, view func(*R) T) items[T] {
	list := items[T]{Items: make([]T, len(rows))}
	for i := range rows {
		list.Items[i] = view(&rows[i])
	}
	return list
}

// pageOf is a page of a list that goes by ids; next is where the page after it begins, 0 at the end.
func pageOf[T any](page []T, next int64) items[T] {
	list := items[T]{Items: page}
	if next != 0 {
		list.Next = new(strconv.FormatInt(next, 10))
	}
	return list
}

// PageInput asks for a page of a list. It is exported because huma passes over embedded structs that are not.
type PageInput struct {
	Before string `query:"before" maxLength:"64" doc:"next_before of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

var errBefore = models.InvalidField("before", "The next_before of another page.")

// beforeID reads the next_before of a list that goes by ids; 0 of none, which is the first page.
func beforeID(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	id, err := pathID(text)
	if err != nil {
		return 0, errBefore
	}
	return id, nil
}
