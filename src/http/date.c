/* http/date.c - see date.h. */
#include "http/date.h"

static bool take(berth_str *s, char c)
{
    if (!s->n || s->p[0] != c)
        return false;
    *s = str_from_offset(*s, 1);
    return true;
}

/* Exactly @digits of them; @blank: the first may be a space. */
static bool take_number(berth_str *s, size_t digits, bool blank, int *ret)
{
    int n = 0;
    if (s->n < digits)
        return false;
    for (size_t i = 0; i < digits; i++) {
        char c = s->p[i];
        if (blank && i == 0 && c == ' ')
            continue;
        if (c < '0' || c > '9')
            return false;
        n = n * 10 + (c - '0');
    }
    *s = str_from_offset(*s, digits);
    *ret = n;
    return true;
}

static bool take_month(berth_str *s, int *ret)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++)
        if (str_starts(*s, (berth_str){names + (size_t)i * 3, 3})) {
            *s = str_from_offset(*s, 3);
            *ret = i + 1;
            return true;
        }
    return false;
}

static bool take_time(berth_str *s, int *ret_seconds)
{
    int hour, minute, second;
    if (!take_number(s, 2, false, &hour) || !take(s, ':') || !take_number(s, 2, false, &minute) ||
        !take(s, ':') || !take_number(s, 2, false, &second) || hour > 23 || minute > 59 || second > 60)
        return false;
    *ret_seconds = hour * 3600 + minute * 60 + second; /* a leap second is the next one */
    return true;
}

/* Days since the epoch, in the proleptic Gregorian calendar: years begin in March, so that a leap day is the
 * last of its year. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = year - (month <= 2), era = y / 400, of_era = y % 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool day_exists(int year, int month, int day)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day >= 1 && day <= days[month - 1] + (leap && month == 2);
}

bool http_date_parse(berth_str s, int64_t *ret_seconds)
{
    int day, month, year, time;
    berth_str name, left;
    if (str_cut(s, ',', &name, &left)) {
        bool two_digits = name.n > 3; /* the older form writes the day's whole name */
        char sep = two_digits ? '-' : ' ';
        if (!take(&left, ' ') || !take_number(&left, 2, false, &day) || !take(&left, sep) ||
            !take_month(&left, &month) || !take(&left, sep) ||
            !take_number(&left, two_digits ? 2 : 4, false, &year) || !take(&left, ' ') ||
            !take_time(&left, &time) || !str_eq(left, STR(" GMT")))
            return false;
        if (two_digits)
            year += year < 70 ? 2000 : 1900;
    } else {
        if (!str_cut(s, ' ', &name, &left) || name.n != 3 || !take_month(&left, &month) ||
            !take(&left, ' ') || !take_number(&left, 2, true, &day) || !take(&left, ' ') ||
            !take_time(&left, &time) || !take(&left, ' ') || !take_number(&left, 4, false, &year) || left.n)
            return false;
    }
    if (!day_exists(year, month, day))
        return false;
    *ret_seconds = days_of(year, month, day) * 86400 + time;
    return true;
}
