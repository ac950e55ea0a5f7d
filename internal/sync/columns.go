package sync

// Columns returns the properties that hmad asks for in a cmdlet's rows; nil: all
// of them. A device has many more, and some are personal data (IMEI, phone
// number), so every caller of these cmdlets asks for these columns only.
func Columns(cmdlet string) []string {
	switch cmdlet {
	case getDevices:
		return []string{"Identity", "ClientType", "FirstSyncTime", "LastSyncAttemptTime", "LastSuccessSync"}
	case getStatistics:
		return []string{"MailboxGuid", "ItemCount", "LastLogonTime"}
	case getInventory:
		return []string{"Identity", "ClientType"}
	default:
		return nil
	}
}
