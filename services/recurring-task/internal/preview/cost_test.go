package preview_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/httpapi/costtest"
	"github.com/taskwire/taskwire/services/recurring-task/internal/preview"
)

func TestNoRequestIsDear(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	router := httpapi.NewRouter(log)
	preview.Mount(httpapi.NewAPI(router), httpapi.Failures{Log: log})
	server := httptest.NewServer(router)
	defer server.Close()
	var more []string
	for _, rule := range []string{
		"FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO",
		"FREQ=DAILY;INTERVAL=1000;BYMONTH=2;BYMONTHDAY=29",
		"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO",
		"FREQ=YEARLY;BYWEEKNO=53;BYMONTH=1;BYMONTHDAY=3;BYDAY=SU",
		"FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU",
		"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
		"FREQ=YEARLY;BYYEARDAY=366;BYDAY=MO;BYSETPOS=-1",
		"FREQ=YEARLY;BYYEARDAY=366," + strings.Repeat("366,", 110) + "366",
		"FREQ=YEARLY;BYDAY=" + strings.Repeat("53MO,", 90) + "53MO",
		"FREQ=YEARLY;BYDAY=53MO;BYYEARDAY=" + strings.Repeat("366,", 110) + "366",
		"FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=" + strings.Repeat("29,", 140) + "29;BYDAY=MO",
		"FREQ=DAILY;BYMONTH=2;BYMONTHDAY=" + strings.Repeat("29,", 140) + "29;BYDAY=MO",
		"FREQ=DAILY;COUNT=10000",
		"FREQ=DAILY;COUNT=10000;BYMONTH=2;BYMONTHDAY=29",
		"FREQ=YEARLY;COUNT=10000;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO",
	} {
		for _, options := range []string{`"dst_gap":"forward"`, `"dst_gap":"skip"`, `"basis":"completion"`, `"all_day":true,"dst_gap":"skip"`, `"basis":"completion","dst_gap":"skip"`} {
			more = append(more, `{`+options+`,"rrule":"`+rule+`","due_at":"2027-03-28T02:30:00+01:00","timezone":"Europe/Berlin","count":100}`)
		}
		more = append(more, `{"rrule":"`+rule+`","due_at":"2027-03-28T02:30:00+01:00","timezone":"Europe/Berlin","count":100,"anchor":"1900-02-28T02:30:00","occurrence":"2499-03-28T02:30:00"}`)
	}
	costtest.Run(t, server.URL, costtest.Own(t), costtest.Route{
		Method: http.MethodPost, Path: "/api/recurrence/preview", More: more,
		Body: `{"rrule":"FREQ=DAILY","due_at":"2027-03-28T02:30:00+01:00","timezone":"UTC","count":100}`,
	})
}
